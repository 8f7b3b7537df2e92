import { Effect, Ref, Schema } from "effect"
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

/** A key whose row differed when it was read, between two positions of the source. */
export interface Suspect extends Auditor.Moment {
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

/** Rows of a range: one statement a side compares it, in parts. */
const rangeRows = 50_000
/** Parts of a range, each with a digest of its own: of one that differs the keys are listed. */
const partsMax = 16
const partRows = rangeRows / partsMax
/** Curated keys listed for a table whose keys the two sides sort differently. */
const rowsListedMax = 5_000_000
/** Differing keys followed up per table; beyond, the table is plainly not loaded. */
const keysMax = 10_000

/** Compares all rows in reach; returns the keys that differ. */
export const compare = Effect.fn("Comparison.compare")(function* (context: Comparison) {
  const tally = yield* Ref.make<Tally>({ sourceRows: 0, curatedRows: 0, ranges: 0 })
  const suspects = yield* Ref.make<ReadonlyArray<Suspect>>([])
  if (context.orderedAlike) {
    let after: ReadonlyArray<string> | null = null
    while (true) {
      const cuts: ReadonlyArray<ReadonlyArray<string>> = yield* Auditor.cuts(context.connection, context.model.table, {
        ...scopeOf(context, { after, through: null }),
        rowsPerPart: partRows,
        partsMax
      })
      const isLast = cuts.length < partsMax
      yield* compareRange(context, tally, suspects, partsOf(after, isLast ? [...cuts, null] : cuts))
      if (isLast) break
      after = cuts.at(-1)!
    }
  } else {
    yield* compareKeys(context, tally, suspects)
  }
  return { tally: yield* Ref.get(tally), suspects: yield* Ref.get(suspects) }
})

/** Ranges that follow each other and end at `ends`. */
const partsOf = (after: KeyRange["after"], ends: ReadonlyArray<KeyRange["through"]>): ReadonlyArray<KeyRange> =>
  ends.map((through, index) => ({ after: ends[index - 1] ?? after, through }))

const sliceOf = ({ recent }: Comparison, range: KeyRange): Digests.Slice => ({
  ...range,
  ...(recent === undefined ? {} : { recent })
})

const scopeOf = ({ recent }: Comparison, range: KeyRange) => ({ range, ...(recent === undefined ? {} : { recent }) })

/** Compares the parts of a range by digest, and lists the keys of those that differ. */
const compareRange = Effect.fnUntraced(function* (
  context: Comparison,
  tally: Ref.Ref<Tally>,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>,
  parts: ReadonlyArray<KeyRange>
) {
  const { connection, session, dialect, model } = context
  // Neither side waits for the other: what one of them has and the other not yet is settled afterwards, whichever was first.
  const [source, curated] = yield* Effect.all(
    [
      Auditor.digests(
        connection,
        model.table,
        parts.map((part) => scopeOf(context, part))
      ),
      Digests.digests(
        session,
        dialect,
        model,
        parts.map((part) => sliceOf(context, part))
      )
    ],
    { concurrency: 2 }
  )
  const sourceRows = source.reduce((sum, { rows }) => sum + rows, 0)
  const curatedRows = curated.reduce((sum, { rows }) => sum + rows, 0)
  const sofar = yield* Ref.updateAndGet(tally, (before) => ({
    sourceRows: before.sourceRows + sourceRows,
    curatedRows: before.curatedRows + curatedRows,
    ranges: before.ranges + parts.length
  }))
  yield* throttle(context, sourceRows)
  yield* context.onRows(sofar.sourceRows)
  for (const [index, part] of parts.entries()) {
    const ours = curated[index]!
    const { checksum, rows } = source[index]!
    if (rows === ours.rows && checksum === ours.checksum) continue
    if (Math.abs(rows - ours.rows) > keysMax) return yield* tooMany(model, keysMax)
    yield* listRange(context, suspects, part)
  }
})

/** Lists the keys of a short range on both sides and keeps those that differ. */
const listRange = Effect.fnUntraced(function* (
  context: Comparison,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>,
  range: KeyRange
) {
  const { connection, session, dialect, model } = context
  const rowsMax = partRows + keysMax
  const [source, curated] = yield* Effect.all(
    [
      Auditor.keys(connection, model.table, { ...scopeOf(context, range), rowsMax }),
      Digests.keys(session, dialect, model, sliceOf(context, range), rowsMax)
    ],
    { concurrency: 2 }
  )
  // The table has grown by so much since it was cut: what lies behind the last key was not read.
  if (source.keys.length === rowsMax) return yield* tooMany(model, keysMax)
  const found = differing(source, curated)
  for (const [text, digest] of curated) found.push(suspectOf(source, keyTexts(text), null, digest))
  const all = yield* Ref.updateAndGet(suspects, (before) => [...before, ...found])
  if (all.length > keysMax) return yield* tooMany(model, all.length)
})

const suspectOf = (
  { lsn, lsnThrough }: Auditor.Moment,
  key: ReadonlyArray<string>,
  source: Digests.State,
  curated: Digests.State
): Suspect => ({ key, source, curated, lsn, lsnThrough })

/** Keys whose curated row is another or missing; takes the source's keys out of `curated`. */
const differing = (
  read: Auditor.Moment & { readonly keys: ReadonlyArray<Auditor.KeyDigest> },
  curated: Map<string, bigint>
): Array<Suspect> => {
  const found: Array<Suspect> = []
  for (const { key, digest } of read.keys) {
    const text = JSON.stringify(key)
    const ours = curated.get(text)
    if (ours !== digest) found.push(suspectOf(read, key, digest, ours ?? null))
    curated.delete(text)
  }
  return found
}

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
  let walk: Auditor.Moment | undefined
  let sourceRows = 0
  let ranges = 0
  while (true) {
    const page: Effect.Success<ReturnType<typeof Auditor.keys>> = yield* Auditor.keys(connection, model.table, {
      ...scopeOf(context, { after, through: null }),
      rowsMax: rangeRows
    })
    found.push(...differing(page, curated))
    walk = { lsn: walk?.lsn ?? page.lsn, lsnThrough: page.lsnThrough }
    sourceRows += page.keys.length
    ranges++
    yield* throttle(context, page.keys.length)
    if (page.keys.length < rangeRows) break
    after = page.keys.at(-1)!.key
  }
  for (const [text, digest] of curated) found.push(suspectOf(walk, keyTexts(text), null, digest))
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
