import { Effect, Ref, Schema, Stream } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Auditor from "../postgres/Auditor.ts"
import type * as Connection from "../postgres/Connection.ts"
import { everyKey, type KeyRange } from "../postgres/KeyRange.ts"
import type { Dialect } from "../warehouse/Dialect.ts"
import * as Digests from "../warehouse/Digests.ts"
import type { Model } from "../warehouse/Model.ts"
import type { Session } from "../warehouse/Warehouse.ts"
import type { PostgresFeed } from "./Project.ts"

/** One table under comparison, with the two sides open. */
export interface Comparison {
  readonly feed: PostgresFeed
  readonly connection: Connection.Connection
  readonly session: Session
  readonly dialect: Dialect
  readonly model: Model
  /** Whether the warehouse sorts the key as the source does, so that ranges mean the same in both. */
  readonly orderedAlike: boolean
  readonly recent: Auditor.Recent | undefined
  /** Most rows a second to read from the source. */
  readonly rowsPerSecondMax: number
  /** Called with the source's rows compared so far. */
  readonly onRows: (rows: number) => Effect.Effect<void>
}

/** A key whose row differed when it was read. */
export interface Suspect {
  readonly key: ReadonlyArray<string>
  readonly source: Digests.State
  readonly curated: Digests.State
}

/** What has been compared so far. */
export interface Tally {
  readonly sourceRows: number
  readonly curatedRows: number
  readonly ranges: number
}

/** Rows of a range that is compared by digest first. */
const chunkRows = 50_000
/** Curated keys listed for a table whose keys the two sides sort differently. */
const rowsListedMax = 5_000_000
/** Rows of a range below which differing keys are listed instead of splitting on. */
const listRows = 3_000
/** Differing keys followed up per table; beyond, the table is plainly not loaded. */
const keysMax = 10_000

/** Compares all rows in reach; returns the keys that differ. */
export const compare = Effect.fn("Comparison.compare")(function* (context: Comparison) {
  const tally = yield* Ref.make<Tally>({ sourceRows: 0, curatedRows: 0, ranges: 0 })
  const suspects = yield* Ref.make<ReadonlyArray<Suspect>>([])
  if (context.orderedAlike) {
    const cuts = Auditor.splits(context.connection, context.model.table, {
      ...scopeOf(context, everyKey),
      rowsPerChunk: chunkRows
    })
    const last = yield* Stream.runFoldEffect(
      cuts,
      (): ReadonlyArray<string> | null => null,
      (after, through) => Effect.as(compareRange(context, tally, suspects, { after, through }), through)
    )
    yield* compareRange(context, tally, suspects, { after: last, through: null })
  } else {
    yield* compareKeys(context, tally, suspects)
  }
  return { tally: yield* Ref.get(tally), suspects: yield* Ref.get(suspects) }
})

const sliceOf = ({ recent }: Comparison, range: KeyRange): Digests.Slice => ({
  ...range,
  ...(recent === undefined ? {} : { recent })
})

const scopeOf = ({ recent }: Comparison, range: KeyRange) => ({ range, ...(recent === undefined ? {} : { recent }) })

/** Compares a range by digest, and where it differs its parts. */
const compareRange: (
  context: Comparison,
  tally: Ref.Ref<Tally>,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>,
  range: KeyRange,
  isPart?: boolean
) => Effect.Effect<void, ConnectorError> = Effect.fnUntraced(function* (context, tally, suspects, range, isPart) {
  const { connection, session, dialect, model } = context
  // Neither side waits for the other: what one of them has and the other not yet is settled afterwards, whichever was first.
  const [source, curated] = yield* Effect.all(
    [
      Auditor.digest(connection, model.table, scopeOf(context, range)),
      Digests.digest(session, dialect, model, sliceOf(context, range))
    ],
    { concurrency: 2 }
  )
  yield* Ref.update(tally, ({ sourceRows, curatedRows, ranges }) =>
    isPart === true
      ? { sourceRows, curatedRows, ranges: ranges + 1 }
      : { sourceRows: sourceRows + source.rows, curatedRows: curatedRows + curated.rows, ranges: ranges + 1 }
  )
  yield* throttle(context, source.rows)
  if (isPart !== true) yield* context.onRows((yield* Ref.get(tally)).sourceRows)
  if (source.rows === curated.rows && source.checksum === curated.checksum) return
  const rows = Math.max(source.rows, curated.rows)
  if (rows <= listRows || source.rows === 0) return yield* listRange(context, suspects, range)
  const cuts = yield* Stream.runCollect(
    Auditor.splits(connection, model.table, { ...scopeOf(context, range), rowsPerChunk: Math.ceil(source.rows / 8) })
  )
  let after = range.after
  for (const through of [...cuts, range.through]) {
    yield* compareRange(context, tally, suspects, { after, through }, true)
    after = through
  }
})

/** Lists the keys of a short range on both sides and keeps those that differ. */
const listRange = Effect.fnUntraced(function* (
  context: Comparison,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>,
  range: KeyRange
) {
  const { connection, session, dialect, model } = context
  const source = yield* Auditor.keys(connection, model.table, { ...scopeOf(context, range), rowsMax: keysMax })
  const curated = yield* Digests.keys(session, dialect, model, sliceOf(context, range), keysMax)
  const found: Array<Suspect> = []
  for (const { key, digest } of source) {
    const text = JSON.stringify(key)
    if (curated.get(text) !== digest) found.push({ key, source: digest, curated: curated.get(text) ?? null })
    curated.delete(text)
  }
  for (const [text, digest] of curated) found.push({ key: keyTexts(text), source: null, curated: digest })
  const all = yield* Ref.updateAndGet(suspects, (before) => [...before, ...found])
  if (all.length > keysMax) return yield* tooMany(model, all.length)
})

/** For keys that the two sides sort differently: pages of keys, each looked up on the other side. */
const compareKeys = Effect.fnUntraced(function* (
  context: Comparison,
  tally: Ref.Ref<Tally>,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>
) {
  const { connection, session, dialect, model } = context
  const curated = yield* Digests.keys(session, dialect, model, sliceOf(context, everyKey), rowsListedMax)
  const curatedRows = curated.size
  const found: Array<Suspect> = []
  let after: ReadonlyArray<string> | null = null
  let sourceRows = 0
  let ranges = 0
  while (true) {
    const page: ReadonlyArray<Auditor.KeyDigest> = yield* Auditor.keys(connection, model.table, {
      ...scopeOf(context, { after, through: null }),
      rowsMax: chunkRows
    })
    for (const { key, digest } of page) {
      const text = JSON.stringify(key)
      if (curated.get(text) !== digest) found.push({ key, source: digest, curated: curated.get(text) ?? null })
      curated.delete(text)
    }
    sourceRows += page.length
    ranges++
    yield* throttle(context, page.length)
    if (page.length < chunkRows) break
    after = page.at(-1)!.key
  }
  for (const [text, digest] of curated) found.push({ key: keyTexts(text), source: null, curated: digest })
  yield* Ref.set(tally, { sourceRows, curatedRows, ranges })
  if (found.length > keysMax) return yield* tooMany(model, found.length)
  yield* Ref.set(suspects, found)
})

const keyTexts = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Schema.String)))

/** Keeps the reads of the source below the budget. */
const throttle = ({ rowsPerSecondMax }: Comparison, rows: number) =>
  Effect.sleep(Math.ceil((rows * 1000) / rowsPerSecondMax))

const tooMany = (model: Model, count: number) =>
  new ConnectorError({
    connector: "reconcile",
    operation: "compare",
    detail: `${model.name} differs in more than ${count} keys`,
    action: "The table is not loaded: see northstar status, let ingest finish its snapshot, then compare again",
    reason: new Misconfigured({ detail: "not loaded" })
  })
