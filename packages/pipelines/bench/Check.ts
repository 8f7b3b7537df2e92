import * as Services from "@northstar/connectors/project/Services"
import type { Project } from "@northstar/connectors/project/Project"
import { type Session, Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import { Effect } from "effect"
import { join } from "node:path"
import * as Backlog from "./Backlog.ts"
import { shop } from "./Subject.ts"

/** What a measurement left must be what its source has; else the bench ends. */
export const same = (what: string, found: unknown, expected: unknown): Effect.Effect<void> =>
  JSON.stringify(found) === JSON.stringify(expected)
    ? Effect.void
    : Effect.die(`${what}: ${JSON.stringify(found)} where the source has ${JSON.stringify(expected)}`)

/** A session of a project's warehouse. */
export const withSession = <A, E>({ warehouse }: Project, use: (session: Session) => Effect.Effect<A, E>) =>
  Effect.flatMap(Warehouse, ({ session }) => Effect.flatMap(session, use)).pipe(
    Effect.scoped,
    Effect.provide(Services.warehouse(warehouse))
  )

/** Reads the segments as anybody can, and adds up what they hold. */
export const landed = (folder: string, sums: Backlog.Sums) =>
  withSession(shop("", folder).project, (session) =>
    Effect.gen(function* () {
      for (const [table, column] of [
        ["orders", "total_minor"],
        ["order_lines", "amount_minor"]
      ] as const) {
        const files = join(folder, "landing", "**", `*${table}*.parquet`)
        const [row] = yield* session.query(
          `SELECT count(*)::VARCHAR AS n, sum(${column}::BIGINT)::VARCHAR AS total FROM read_parquet('${files}') WHERE _op = 1`
        )
        yield* same(`landed ${table}`, [row?.["n"], row?.["total"]], sums[table].slice(0, 2))
      }
    })
  )

/** Holds curated against the source, the batches' accounts against the history, and counts what was there before. */
export const curated = (folder: string, sums: Backlog.Sums, linesBefore: number) =>
  withSession(shop("", folder).project, (session) =>
    Effect.gen(function* () {
      for (const table of ["orders", "order_lines"] as const) {
        const [row] = yield* session.query(Backlog.curatedSums[table])
        yield* same(`curated ${table}`, Object.values(row ?? {}), sums[table])
        const [counts] = yield* session.query(
          `SELECT (SELECT count(*) FROM curated.${table}__history WHERE _batch <> 'import')::VARCHAR AS history, (SELECT sum(rows_in) FROM northstar.batches WHERE table_name = '${table}')::VARCHAR AS rows_in,
            (SELECT sum(published + superseded) FROM northstar.batches WHERE table_name = '${table}')::VARCHAR AS published`
        )
        const [count] = sums[table]
        yield* same(`accounts of ${table}`, Object.values(counts ?? {}), [count, count, count])
      }
      const [row] = yield* session.query(
        `SELECT count(*)::VARCHAR AS n FROM curated.order_lines WHERE order_id < ${Backlog.firstOrder}`
      )
      yield* same("what was there before", row?.["n"], String(linesBefore))
    })
  )
