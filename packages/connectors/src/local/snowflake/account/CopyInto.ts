import { identifier } from "../sql/Names.ts"
import { type Copy, type ResultColumn, type ResultTable, SnowflakeError } from "../Statement.ts"
import { type LocalFile, type StageFiles, withLocal } from "./StageFiles.ts"

/** Files loaded into a table, by URL, with the fingerprint of their content. */
export type LoadHistory = Map<string, string>

/** Runs a statement of DuckDB in the session and gives its rows. */
export type RunSql = (sql: string) => Promise<ReadonlyArray<ReadonlyArray<unknown>>>

/** Most names in FILES (COPY INTO <table>). */
const filesMax = 1000

/**
 * Loads the listed files by one INSERT: all of them or, where one is missing or does not fit, none. A file of the same
 * name and content as one loaded before is skipped unless FORCE says otherwise.
 */
export const copyInto = async (
  statement: Copy,
  context: {
    readonly url: string
    readonly s3: StageFiles | undefined
    readonly history: LoadHistory
    /** The table as DuckDB's identifier. */
    readonly target: string
    readonly runSql: RunSql
  }
): Promise<ResultTable> => {
  const { history, runSql, s3, target } = context
  if (statement.files.length === 0)
    throw new SnowflakeError("000002", "0A000", "Unsupported feature 'COPY without FILES'.")
  if (statement.files.length > filesMax) {
    throw new SnowflakeError(
      "001012",
      "42601",
      `SQL compilation error:\nNumber of files exceeds the maximum of ${filesMax} files.`
    )
  }
  const base = context.url.endsWith("/") ? context.url : `${context.url}/`
  const urls = statement.files.map((file) => `${base}${statement.path}${file}`)
  return withLocal(urls, s3, async (files) => {
    const missing = files.indexOf(undefined)
    if (missing >= 0) throw fileNotFound(urls[missing]!)
    const found = files.map((file, index) => ({ file: file!, url: urls[index]! }))
    const fresh = found.filter(({ file, url }) => statement.force || history.get(url) !== file.md5)
    const counts = await rowsOf(
      fresh.map(({ file }) => file),
      runSql
    )
    if (fresh.length > 0) await insert(statement, fresh, target, runSql)
    for (const { file, url } of fresh) history.set(url, file.md5)
    return report(found.map(({ file, url }) => ({ url, rows: counts.get(file.path) })))
  })
}

const insert = async (
  statement: Copy,
  files: ReadonlyArray<{ readonly file: LocalFile; readonly url: string }>,
  target: string,
  runSql: RunSql
): Promise<void> => {
  const selects = files.map(({ file, url }) => {
    const expressions = statement.select.map((select) => select.replaceAll("{filename}", literal(pathOf(url))))
    return `SELECT ${expressions.join(", ")} FROM read_parquet(${literal(file.path)}, file_row_number = true)`
  })
  const columns = statement.columns.length === 0 ? "" : ` (${statement.columns.map(identifier).join(", ")})`
  await runSql(`INSERT INTO ${target}${columns} ${selects.join(" UNION ALL ")}`)
}

/** METADATA$FILENAME: the whole path in the bucket or on the disk. */
const pathOf = (url: string): string => url.replace(/^s3:\/\/[^/]+\/|^file:\/\//, "")

/** Rows per path, from the files' footers. */
const rowsOf = async (files: ReadonlyArray<LocalFile>, runSql: RunSql): Promise<ReadonlyMap<string, string>> => {
  if (files.length === 0) return new Map()
  const paths = files.map(({ path }) => literal(path)).join(", ")
  const rows = await runSql(`SELECT file_name, num_rows FROM parquet_file_metadata([${paths}])`).catch(() => {
    throw new SnowflakeError(
      "100152",
      "22000",
      "Error parsing the parquet file: Invalid: Parquet magic bytes not found in footer."
    )
  })
  return new Map(rows.map(([path, count]) => [String(path), String(count)]))
}

const column = (name: string, type: ResultColumn["type"] = "text"): ResultColumn =>
  type === "fixed" ? { name, type, precision: 18, scale: 0, nullable: true } : { name, type, nullable: true }

const columns: ReadonlyArray<ResultColumn> = [
  column("file"),
  column("status"),
  column("rows_parsed", "fixed"),
  column("rows_loaded", "fixed"),
  column("error_limit", "fixed"),
  column("errors_seen", "fixed"),
  column("first_error"),
  column("first_error_line", "fixed"),
  column("first_error_character", "fixed"),
  column("first_error_column_name")
]

/** What COPY answers: a row a file, or one text when every file had been loaded before. */
const report = (files: ReadonlyArray<{ readonly url: string; readonly rows: string | undefined }>): ResultTable => {
  if (files.every(({ rows }) => rows === undefined)) {
    return { columns: [column("status")], rows: [["Copy executed with 0 files processed."]] }
  }
  return {
    columns,
    rows: files.map(({ url, rows }) =>
      rows === undefined
        ? [url, "LOAD_SKIPPED", "0", "0", "0", "1", "File was loaded before.", null, null, null]
        : [url, "LOADED", rows, rows, "1", "0", null, null, null, null]
    )
  }
}

const fileNotFound = (url: string): SnowflakeError =>
  new SnowflakeError(
    "091016",
    "22000",
    `Remote file '${url}' was not found. There are several potential causes. The file might not exist. The required credentials may be missing or invalid. If you are running a copy command, please make sure files are not deleted when they are being loaded or files are not being loaded into two different tables concurrently with auto purge option.`
  )

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`
