import * as Ingest from "@northstar/connectors/project/Ingest"
import * as Reconcile from "@northstar/connectors/project/Reconcile"
import * as Auditor from "@northstar/connectors/postgres/Auditor"
import * as Connection from "@northstar/connectors/postgres/Connection"
import { everyKey } from "@northstar/connectors/postgres/KeyRange"
import { duckdb as dialect } from "@northstar/connectors/duckdb/DuckDbDialect"
import * as Digests from "@northstar/connectors/warehouse/Digests"
import { make as makeModel } from "@northstar/connectors/warehouse/Model"
import { Effect } from "effect"
import { all, orderLines } from "../src/Tables.ts"
import * as Backlog from "./Backlog.ts"
import * as Check from "./Check.ts"
import type { Line } from "./Line.ts"
import { type Cost, cost } from "./Measure.ts"
import { say } from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Seed from "./Seed.ts"
import * as Source from "./Source.ts"
import { shop } from "./Subject.ts"

/** Keys that are made to differ. */
const differing = 10

/** Seconds and the rest of what comparing took. */
export interface Compared {
  /** One scan with a checksum over each side, one after the other. */
  readonly source: Cost
  readonly curated: Cost
  readonly equal: Cost
  readonly different: Cost
}

/** Order lines compared at three sizes, equal and with ten differences, beside one scan of each side. */
export const run = Effect.fnUntraced(function* (folder: string, lines: number) {
  const runner = yield* Source.prepared(folder, 0)
  const { url } = runner
  const subject = shop(url, Runner.template(runner)).project
  // Its rows are none of the stream's business here, and without a log they are filled in a quarter of the time.
  yield* Backlog.script(url, `alter publication ${Backlog.publication} drop table order_lines`)
  yield* Backlog.script(url, "alter table order_lines set unlogged")
  const found: Array<Line> = []
  let before = 0
  let perRow = Number.NaN
  for (const size of [lines / 10, lines / 3, lines].map((size) => Math.ceil(size / 1000) * 1000)) {
    yield* say(`reconcile: filling ${size} rows on both sides`)
    yield* Effect.scoped(fillSource(url, size, before))
    yield* Seed.fill(subject, size, before)
    before = size
    const compared = (yield* Runner.run(runner, "reconcile", { folder: Runner.template(runner) })) as Compared
    for (const what of ["source", "curated", "equal"] as const) {
      yield* Check.same(`${what}: rows`, compared[what].changes, size)
    }
    yield* Check.same("differences", compared.different.changes, differing)
    const isLargest = size === lines
    found.push(...linesOf(compared, size, isLargest), growthOf(compared, size, perRow))
    if (Number.isNaN(perRow)) perRow = compared.equal.seconds / size
  }
  return found
}, Effect.scoped)

const fillSource = Effect.fnUntraced(function* (url: string, size: number, before: number) {
  yield* Backlog.script(url, `set session_replication_role = replica; ${Seed.sourceLines(size, before)}`)
  yield* Backlog.script(url, "vacuum analyze order_lines")
})

const linesOf = ({ curated, different, equal, source }: Compared, size: number, isLargest: boolean) => {
  const scans = source.seconds + curated.seconds
  const seconds = (value: number) => `${value.toFixed(1)} s`
  const baseline = `a scan of each side: ${seconds(source.seconds)} + ${seconds(curated.seconds)}`
  const line = (how: string, took: number, atMost: number): Line => ({
    what: `reconcile ${size} × ${size} rows, ${how}`,
    measured: seconds(took),
    baseline,
    ratio: took / scans,
    asked: isLargest ? { atMost } : undefined
  })
  return [line("equal", equal.seconds, 1.3), line(`${differing} differences`, different.seconds, 1.6)]
}

const growthOf = ({ equal }: Compared, size: number, perRow: number): Line => {
  const now = equal.seconds / size
  const smallest = Number.isNaN(perRow) ? now : perRow
  return {
    what: `growth: reconcile of ${size} rows`,
    measured: `${(now * 1e6).toFixed(2)} µs a row`,
    baseline: `${(smallest * 1e6).toFixed(2)} µs a row of the smallest`,
    ratio: now / smallest,
    asked: undefined
  }
}

/**
 * What is streamed meanwhile: all tables but the one that is filled behind the stream's back. A source at work commits all
 * the time; this one only beats, and who waits for its next position waits a second at most.
 */
const streamed = { tables: all.filter(({ name }) => name !== orderLines.name), heartbeatSeconds: 1 }

/** Compares while an ingest runs, as in daily use: scans, then reconciles, then again with ten rows of curated changed. */
export const measure = (url: string, folder: string) =>
  Effect.raceFirst(
    Effect.andThen(Ingest.ingest(shop(url, folder, streamed).project, { untilCaughtUp: false }), Effect.never),
    // The ingester must come first: it then owns the file, and has passed what filling wrote.
    Effect.delay(compare(url, folder), "4 seconds")
  )

const rowsOf = ([digest]: ReadonlyArray<{ readonly rows: number }>): number => digest?.rows ?? 0

const compare = Effect.fnUntraced(function* (url: string, folder: string) {
  const feed = shop(url, folder)
  const model = makeModel(dialect, orderLines)
  const everything = { after: null, through: null }
  const reconcile = Reconcile.reconcile(feed, { tables: [orderLines.name], full: true, rowsPerSecondMax: 1e12 })
  const source = yield* Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* Connection.open({ url, statementTimeout: "10 minutes" })
      return yield* cost(Effect.map(Auditor.digests(connection, orderLines, [{ range: everyKey }]), rowsOf))
    })
  )
  const curated = yield* Check.withSession(feed.project, (session) =>
    cost(Effect.map(Digests.digests(session, dialect, model, [everything]), rowsOf))
  )
  const equal = yield* cost(Effect.map(reconcile, ({ agree, tables }) => (agree ? (tables[0]?.sourceRows ?? 0) : -1)))
  const change = (status: string) =>
    Check.withSession(feed.project, (session) =>
      session.execute(
        `UPDATE curated.order_lines SET status = '${status}' WHERE line_no = 1 AND order_id IN (SELECT 1 + i * ${Math.floor(equal.changes / Backlog.linesPerOrder / differing)} FROM range(${differing}) AS r(i))`
      )
    )
  yield* change("placed")
  const different = yield* cost(
    Effect.map(reconcile, ({ tables }) => (tables[0]?.differences ?? []).filter(({ settled }) => settled).length)
  )
  yield* change("shipped")
  return { source, curated, equal, different } satisfies Compared
})
