import { lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import { Effect } from "effect"

/** What must not be found: digits of card numbers, and texts that only card data holds. */
export interface Planted {
  readonly numbers: ReadonlyArray<string>
  readonly texts: ReadonlyArray<string>
}

/** What people and machines write between the digits of a number: of typographic signs their bytes in UTF-8 and UTF-16. */
const between =
  // oxlint-disable-next-line no-control-regex -- they are halves of characters
  /[\u0001-\u000a\u0010-\u0015\u002f] |[\0 \-\u00a0\u00c2]|\u00e2\u0080[\u0080-\u008a\u00af\u0090-\u0095]/g

/** Fewer digits are nobody's card number. */
const runs = /\d{12,}/g

/** Which of what was planted stands in these bytes, in whatever spelling. Text of any encoding. */
export const hits = ({ numbers, texts }: Planted, bytes: Uint8Array): ReadonlyArray<string> => {
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")
  const found = (latin1.replaceAll(between, "").match(runs) ?? []).join(" ")
  const plain = latin1.replaceAll("\0", "")
  return [...numbers.filter((number) => found.includes(number)), ...texts.filter((text) => plain.includes(text))]
}

/**
 * Everything that was planted and stands below a folder, as `where: what`: in the bytes of every file, in the rows of every
 * segment and in every table of the warehouse, whose files keep them compressed.
 */
export const scan = (
  folder: string,
  planted: Planted
): Effect.Effect<{ files: number; problems: ReadonlyArray<string> }> =>
  Effect.promise(async () => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      lstatSync(join(folder, name)).isFile()
    )
    const problems: Array<string> = []
    const look = (where: string, bytes: Uint8Array) => {
      problems.push(...hits(planted, bytes).map((hit) => `${where}: ${hit}`))
    }
    const instance = await DuckDBInstance.create(":memory:")
    const connection = await instance.connect()
    const rows = async (sql: string) => Buffer.from(JSON.stringify((await connection.runAndReadAll(sql)).getRowsJson()))
    for (const name of files) {
      const path = join(folder, name)
      look(name, Buffer.from(name))
      look(name, readFileSync(path))
      if (isParquet(path))
        look(`rows of ${name}`, await rows(`SELECT * FROM read_parquet('${path.replaceAll("'", "''")}')`))
    }
    for (const name of files.filter((candidate) => candidate.endsWith(".duckdb"))) {
      await connection.run(`ATTACH '${join(folder, name)}' AS found (READ_ONLY)`)
      const tables = await connection.runAndReadAll(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'found'"
      )
      for (const [schema, table] of tables.getRows()) {
        const [from, of] = [String(schema), String(table)]
        look(`${name}, ${from}.${of}`, await rows(`SELECT * FROM found."${from}"."${of}"`))
      }
      await connection.run("DETACH found")
    }
    connection.closeSync()
    instance.closeSync()
    return { files: files.length, problems }
  })

/** Temporary files of segments have other names. */
const isParquet = (path: string): boolean => {
  const bytes = readFileSync(path)
  return (
    bytes.length > 12 &&
    bytes.toString("latin1", 0, 4) === "PAR1" &&
    bytes.toString("latin1", bytes.length - 4) === "PAR1"
  )
}
