import { Effect, Schema } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { RunFact } from "@northstar/core/RunLedger"
import { type Dialect, literal } from "../warehouse/Dialect.ts"
import { type Session, Warehouse } from "../warehouse/Warehouse.ts"
import type { Project } from "./Project.ts"
import * as Retry from "./Retry.ts"
import * as Services from "./Services.ts"

/** One run of a program. Times are Unix milliseconds. */
export interface RunLine {
  readonly run: string
  readonly program: string
  readonly stream: string
  readonly startedAtMs: number
  /** When the newest fact was recorded. */
  readonly seenAtMs: number
  /** `open` is a run that goes on, or one that was killed. */
  readonly outcome: "succeeded" | "failed" | "interrupted" | "open"
  /** Why it failed. */
  readonly detail: string
  readonly batches: number
  readonly rows: number
}

/** A run with its newest facts, oldest first. */
export interface RunDetail extends RunLine {
  readonly facts: ReadonlyArray<{ readonly atMs: number; readonly fact: RunFact }>
}

/** The newest `last` runs of the project, newest first. */
export const list = Effect.fn("Runs.list")(function* (project: Project, options: { readonly last: number }) {
  return yield* withSession(project, (session, dialect) => lines(session, dialect, project, "", options.last))
})

/** Facts shown of one run at most: a continuous run commits every few seconds for weeks. */
const factsMax = 1000

/** One run with its newest facts, at most 1,000. A name that is unknown fails with `Misconfigured`. */
export const show = Effect.fn("Runs.show")(function* (project: Project, run: string) {
  return yield* withSession(
    project,
    Effect.fnUntraced(function* (session, dialect) {
      const [line] = yield* lines(session, dialect, project, `AND run = ${literal(run)}`, 1)
      if (line === undefined) return yield* unknown(project, run)
      const rows = yield* session
        .query(
          `SELECT CAST(${dialect.epochMs("recorded_at")} AS VARCHAR) AS "atMs", fact FROM northstar.runs
          WHERE pipeline = ${literal(project.name)} AND run = ${literal(run)} ORDER BY recorded_at DESC LIMIT ${factsMax}`
        )
        .pipe(Effect.flatMap((rows) => Effect.orDie(Schema.decodeUnknownEffect(Facts)(rows))))
      return { ...line, facts: rows.toReversed() } satisfies RunDetail
    })
  )
})

const FactText = Schema.fromJsonString(RunFact)
const Facts = Schema.Array(Schema.Struct({ atMs: Schema.FiniteFromString, fact: FactText }))
const Lines = Schema.Array(
  Schema.Struct({
    run: Schema.String,
    stream: Schema.String,
    startedAtMs: Schema.FiniteFromString,
    seenAtMs: Schema.FiniteFromString,
    batches: Schema.FiniteFromString,
    rows: Schema.FiniteFromString,
    started: Schema.NullOr(FactText),
    ended: Schema.NullOr(FactText)
  })
)

const withSession = <A>(
  project: Project,
  f: (session: Session, dialect: Dialect) => Effect.Effect<A, ConnectorError>
) =>
  Effect.scoped(
    Effect.flatMap(Warehouse, ({ dialect, session }) => Effect.flatMap(session, (opened) => f(opened, dialect)))
  ).pipe(Effect.retry(Retry.schedule(Retry.statementTries)), Effect.provide(Services.reading(project)))

const lines = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  project: Project,
  condition: string,
  last: number
) {
  const only = (kind: RunFact["_tag"]) => `max(CASE WHEN kind = '${kind}' THEN fact END)`
  const rows = yield* session.query(
    `SELECT run, min(stream) AS stream, CAST(${dialect.epochMs("min(recorded_at)")} AS VARCHAR) AS "startedAtMs",
      CAST(${dialect.epochMs("max(recorded_at)")} AS VARCHAR) AS "seenAtMs", CAST(sum(batches) AS VARCHAR) AS "batches", CAST(sum(rows_in) AS VARCHAR) AS "rows",
      ${only("Started")} AS "started", ${only("Ended")} AS "ended"
    FROM northstar.runs WHERE pipeline = ${literal(project.name)} ${condition}
    GROUP BY run ORDER BY min(recorded_at) DESC LIMIT ${last}`
  )
  const decoded = yield* Effect.orDie(Schema.decodeUnknownEffect(Lines)(rows))
  return decoded.map(({ ended, started, ...rest }): RunLine => {
    const end = ended?._tag === "Ended" ? ended : undefined
    return {
      ...rest,
      program: started?._tag === "Started" ? started.program : "",
      outcome: end?.outcome ?? "open",
      detail: end?.detail ?? ""
    }
  })
})

const unknown = (project: Project, run: string) => {
  const detail = `${run} is not the name of a run of ${project.name}`
  return Effect.fail(
    new ConnectorError({
      connector: "warehouse",
      operation: "show a run",
      detail,
      action: "List them with northstar runs list.",
      reason: new Misconfigured({ detail })
    })
  )
}
