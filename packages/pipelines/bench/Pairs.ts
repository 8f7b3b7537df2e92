import * as Services from "@northstar/connectors/project/Services"
import { type Session, Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import { Effect } from "effect"
import { join } from "node:path"
import * as Backlog from "./Backlog.ts"
import type { Cost } from "./Measure.ts"
import * as Runner from "./Runner.ts"
import { shop } from "./Subject.ts"

/** The costs of one turn. */
export interface Pair {
  readonly drain: Cost
  readonly capture: Cost
  readonly ingest: Cost
}

/** Drain, capture and ingest of one backlog in turn, several times; every result is held against the source. */
export const run = Effect.fnUntraced(function* (
  runner: Runner.Runner,
  settings: { readonly changes: number; readonly pairs: number; readonly curated: number }
) {
  yield* say(`committing a backlog of ${settings.changes} changes`)
  const changes = yield* Backlog.fill(runner.url, settings.changes)
  const sums = yield* Effect.scoped(Backlog.sums(runner.url))
  const pairs: Array<Pair> = []
  for (let turn = 1; turn <= settings.pairs; turn++) {
    const drain = yield* measured(runner, "drain", changes, () => Effect.void)
    const capture = yield* measured(runner, "capture", changes, (folder) => landed(runner, folder, sums))
    const ingest = yield* measured(runner, "ingest", changes, (folder) =>
      curated(runner, folder, sums, settings.curated)
    )
    pairs.push({ drain, capture, ingest })
    yield* say(`turn ${turn}: ${[drain, capture, ingest].map(({ seconds }) => `${seconds.toFixed(1)} s`).join(", ")}`)
  }
  return pairs
})

const say = (text: string) => Effect.sync(() => process.stderr.write(`${text}\n`))

const measured = <E>(
  runner: Runner.Runner,
  what: "drain" | "capture" | "ingest",
  changes: number,
  check: (folder: string) => Effect.Effect<void, E>
) =>
  Effect.andThen(
    Backlog.rewind(runner.url),
    Runner.onCopy(runner, (folder) =>
      Effect.gen(function* () {
        const cost = (yield* Runner.run(runner, what, { folder, changes })) as Cost
        yield* same(`${what}: changes`, cost.changes, changes)
        yield* check(folder)
        return cost
      })
    )
  )

/** Reads the segments as anybody can, and adds up what they hold. */
const landed = (runner: Runner.Runner, folder: string, sums: Backlog.Sums) =>
  withSession(runner, folder, (session) =>
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
const curated = (runner: Runner.Runner, folder: string, sums: Backlog.Sums, before: number) =>
  withSession(runner, folder, (session) =>
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
      yield* same("what was there before", row?.["n"], String(before))
    })
  )

const same = (what: string, found: unknown, expected: unknown): Effect.Effect<void> =>
  JSON.stringify(found) === JSON.stringify(expected)
    ? Effect.void
    : Effect.die(`${what}: ${JSON.stringify(found)} where the source has ${JSON.stringify(expected)}`)

const withSession = <A, E>(runner: Runner.Runner, folder: string, use: (session: Session) => Effect.Effect<A, E>) =>
  Effect.flatMap(Warehouse, ({ session }) => Effect.flatMap(session, use)).pipe(
    Effect.scoped,
    Effect.provide(Services.warehouse(shop(runner.url, folder).project.warehouse))
  )
