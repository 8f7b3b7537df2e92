import { ThriftWriter } from "./ThriftCompact.ts"

// Numbers of Parquet's enums: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
const typeOf = { int32: 1, int64: 2, text: 6 } as const
const encodingPlain = 0
const encodingRle = 3
const codecZstd = 6
const pageTypeData = 0
const convertedText = 0

/** A column of a segment: `text` is nullable UTF-8, the numbers are never null. */
export interface Column {
  readonly name: string
  readonly kind: keyof typeof typeOf
}

/** Sizes of one column in one row group, in bytes with page headers; `values` counts nulls too. */
export interface Chunk {
  readonly values: number
  readonly nulls: number
  readonly uncompressed: number
  readonly compressed: number
}

/** A chunk and where in the file it starts. */
export interface PlacedChunk extends Chunk {
  readonly offset: number
}

/** Rows that are stored together, with one chunk per column. */
export interface RowGroup {
  readonly rows: number
  readonly chunks: ReadonlyArray<PlacedChunk>
}

/** Header of a data page (version 1, zstd): `values` counts nulls too, sizes are those of the page's body in bytes. */
export const pageHeader = (values: number, uncompressed: number, compressed: number): Uint8Array =>
  new ThriftWriter()
    .element((page) =>
      page
        .int32(1, pageTypeData)
        .int32(2, uncompressed)
        .int32(3, compressed)
        .struct(5, (data) => data.int32(1, values).int32(2, encodingPlain).int32(3, encodingRle).int32(4, encodingRle))
    )
    .take()

/** The file's metadata: schema and the places of all chunks. */
export const footer = (columns: ReadonlyArray<Column>, groups: ReadonlyArray<RowGroup>, rows: number): Uint8Array =>
  new ThriftWriter()
    .element((file) =>
      file
        .int32(1, 1)
        .structs(2, [undefined, ...columns], (element, column) => {
          if (column === undefined) element.text(4, "segment").int32(5, columns.length)
          else schemaElement(element, column)
        })
        .int64(3, rows)
        .structs(4, groups, (element, group) => {
          const bytes = group.chunks.reduce((sum, chunk) => sum + chunk.uncompressed, 0)
          element
            .structs(
              1,
              group.chunks.map((chunk, index) => ({ chunk, column: columns[index] as Column })),
              columnChunk
            )
            .int64(2, bytes)
            .int64(3, group.rows)
        })
        .text(6, "northstar")
    )
    .take()

const schemaElement = (element: ThriftWriter, column: Column): void => {
  const optional = column.kind === "text" ? 1 : 0
  element.int32(1, typeOf[column.kind]).int32(3, optional).text(4, column.name)
  // Both the old converted type and the new logical type, for old and new readers.
  if (column.kind === "text") element.int32(6, convertedText).struct(10, (logical) => logical.struct(1, () => {}))
}

const columnChunk = (
  element: ThriftWriter,
  { chunk, column }: { readonly chunk: PlacedChunk; readonly column: Column }
): void => {
  element.int64(2, 0).struct(3, (meta) =>
    meta
      .int32(1, typeOf[column.kind])
      .int32s(2, [encodingPlain, encodingRle])
      .texts(3, [column.name])
      .int32(4, codecZstd)
      .int64(5, chunk.values)
      .int64(6, chunk.uncompressed)
      .int64(7, chunk.compressed)
      .int64(9, chunk.offset)
      .struct(12, (statistics) => statistics.int64(3, chunk.nulls))
  )
}
