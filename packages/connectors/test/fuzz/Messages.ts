/** Messages of `pgoutput` about one table of three text columns, byte by byte as PostgreSQL sends them. */

const u8 = (n: number): Buffer => Buffer.from([n])
const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255])
const u32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return bytes
}
const u64 = (n: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(n)
  return bytes
}
const of = (letter: string, ...parts: ReadonlyArray<Buffer>): Buffer => Buffer.concat([Buffer.from(letter), ...parts])
const name = (text: string): Buffer => Buffer.from(`${text}\0`)
const value = (text: string | null | undefined): Buffer => {
  if (text === undefined) return of("u")
  return text === null ? of("n") : of("t", u32(Buffer.byteLength(text)), Buffer.from(text))
}
const tuple = (...values: ReadonlyArray<string | null | undefined>): Buffer =>
  Buffer.concat([u16(values.length), ...values.map(value)])
const column = (key: number, text: string): Buffer => Buffer.concat([u8(key), name(text), u32(25), u32(-1)])
const oid = u32(1)

export const begin = (lsn: bigint): Buffer => of("B", u64(lsn), u64(5n), u32(7))
export const commit = (lsn: bigint): Buffer => of("C", u8(0), u64(lsn), u64(lsn + 48n), u64(5n))
export const relation: Buffer = of(
  "R",
  oid,
  name("public"),
  name("orders"),
  of("d"),
  u16(3),
  column(1, "id"),
  column(0, "status"),
  column(0, "note")
)
/** A new row. */
export const insert = (...values: ReadonlyArray<string | null>): Buffer => of("I", oid, of("N", tuple(...values)))
/** One of each kind. */
export const changes: ReadonlyArray<Buffer> = [
  insert("1", "é😀", null),
  of("U", oid, of("N", tuple("1", "paid", undefined))),
  of("U", oid, of("K", tuple("1", null, null)), of("N", tuple("2", "paid", undefined))),
  of("D", oid, of("K", tuple("2", null, null))),
  of("T", u32(1), u8(0), oid),
  of("M", u8(0), u64(990n), name("northstar"), u32(2), Buffer.from("{}"))
]

/** A message as the protocol carries it in a COPY stream. */
export const framed = (body: Buffer): Buffer => of("d", u32(body.length + 4), body)
