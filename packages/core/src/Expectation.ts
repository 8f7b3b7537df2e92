import { Effect, Stream } from "effect"
import { mapChunks } from "./Batch.ts"
import type { Version } from "./Change.ts"
import { ExpectationFailed } from "./ExpectationFailed.ts"
import { Run, type LedgerError } from "./RunLedger.ts"
import type { Stage } from "./Stage.ts"

/** Where a broken row stands, never what it holds. */
export interface Example {
  readonly table: string
  readonly version: Version
}

/** `Undecided` says that only more rows can tell, such as "at least 100 rows"; at the end of a read it counts as broken. */
export type Verdict =
  | { readonly _tag: "Holds" | "Undecided"; readonly rows: number }
  | {
      readonly _tag: "Broken"
      readonly rows: number
      readonly failed: number
      readonly examples: ReadonlyArray<Example>
    }

/** A verdict that can hear more rows. Pure and synchronous: one call per chunk, no effect per row. */
export interface Expectation<in A> {
  readonly name: string
  readonly severity: "warn" | "fail"
  readonly verdict: Verdict
  readonly observe: (rows: ReadonlyArray<A>) => Expectation<A>
}

/** Examples kept per verdict. */
const examplesMax = 10

/** Holds while every row satisfies `holds`. `locate` says where a broken row stands. */
export const everyRow = <A>(options: {
  readonly name: string
  readonly severity?: "warn" | "fail"
  readonly holds: (row: A) => boolean
  readonly locate: (row: A) => Example
}): Expectation<A> => {
  const severity = options.severity ?? "fail"
  const from = (rows: number, failed: number, examples: ReadonlyArray<Example>): Expectation<A> => ({
    name: options.name,
    severity,
    verdict: failed === 0 ? { _tag: "Holds", rows } : { _tag: "Broken", rows, failed, examples },
    observe: (more) => {
      const broken = more.filter((row) => !options.holds(row))
      const room = examplesMax - examples.length
      return from(rows + more.length, failed + broken.length, [
        ...examples,
        ...broken.slice(0, Math.max(0, room)).map(options.locate)
      ])
    }
  })
  return from(0, 0, [])
}

/** Holds once `rowsMin` rows have been seen; undecided before. */
export const atLeast = (options: {
  readonly name: string
  readonly severity?: "warn" | "fail"
  readonly rowsMin: number
}): Expectation<unknown> => {
  const from = (rows: number): Expectation<unknown> => ({
    name: options.name,
    severity: options.severity ?? "fail",
    verdict: { _tag: rows >= options.rowsMin ? "Holds" : "Undecided", rows },
    observe: (more) => from(rows + more.length)
  })
  return from(0)
}

/** Rows that break the verdict; `atEnd` counts an undecided one as one failure. */
const failures = (verdict: Verdict, atEnd: boolean): number =>
  verdict._tag === "Broken" ? verdict.failed : verdict._tag === "Undecided" && atEnd ? 1 : 0

const failed = (expectation: Expectation<never>, count: number) =>
  new ExpectationFailed({
    expectation: expectation.name,
    failed: count,
    examples:
      expectation.verdict._tag === "Broken"
        ? expectation.verdict.examples.map(
            ({ table, version }) => `${table} ${version.epoch}/${version.position}/${version.ordinal}`
          )
        : []
  })

/**
 * Watches a whole read. A `"fail"` expectation that breaks stops its batch before the sink can commit it; `"warn"` only
 * records. The verdict is recorded in the run when the read ends.
 */
export const enforce =
  <A>(expectation: Expectation<A>): Stage<A, A, ExpectationFailed | LedgerError, Run> =>
  (batches) =>
    Stream.unwrap(
      Effect.map(Run, (run) => {
        let current = expectation
        const judge = (atEnd: boolean) => {
          const count = failures(current.verdict, atEnd)
          return count > 0 && current.severity === "fail" ? Effect.fail(failed(current, count)) : Effect.void
        }
        const record = Effect.suspend(() =>
          run.record({
            _tag: "Judged",
            expectation: current.name,
            rows: current.verdict.rows,
            failed: failures(current.verdict, true)
          })
        )
        return batches.pipe(
          Stream.map((batch) =>
            mapChunks(batch, (chunks) =>
              Stream.tap(chunks, (chunk) => {
                current = current.observe(chunk)
                return Effect.tapError(judge(false), () => record)
              })
            )
          ),
          Stream.concat(
            Stream.unwrap(
              Effect.as(
                Effect.andThen(
                  record,
                  Effect.suspend(() => judge(true))
                ),
                Stream.empty
              )
            )
          )
        )
      })
    )
