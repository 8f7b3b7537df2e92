import * as Check from "@northstar/core/Check"
import type { Table } from "@northstar/core/Table"
import { Effect } from "effect"
import { Client } from "pg"

/** Rows of one query, values as `pg` reads them. */
export const query = (
  url: string,
  sql: string,
  values: ReadonlyArray<unknown> = []
): Effect.Effect<ReadonlyArray<Record<string, unknown>>> =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const client = new Client({ connectionString: url })
      await client.connect()
      return client
    }),
    (client) =>
      Effect.promise(async () => (await client.query(sql, [...values])).rows as Array<Record<string, unknown>>),
    (client) => Effect.promise(() => client.end())
  )

/** Names of the checks, other than warnings, that some row of the source breaks. */
export const broken = (url: string, table: Table): Effect.Effect<ReadonlyArray<string>> => {
  const texts = Object.keys(table.columns).map((name) => `${name}::text`)
  return Effect.map(query(url, `select ${texts.join(", ")} from ${table.source}`), (rows) => {
    const checks = table.checks.filter(({ severity }) => severity !== "warn")
    // Sound: every column is selected as text.
    const values = rows as ReadonlyArray<Record<string, string | null>>
    return checks.filter((check) => values.some((row) => !Check.holds(check, row))).map(Check.name)
  })
}
