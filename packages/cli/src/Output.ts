import { Schema } from "effect"
import { RunFact } from "@northstar/core/RunLedger"
import { exitCodes } from "./ExitCode.ts"

/*
 * What each command prints under `--json`: one schema a command. Times are Unix milliseconds where the name ends in
 * `Ms`, else ISO 8601; positions of the landing log are decimal texts.
 */

const Texts = Schema.Array(Schema.String)
const OptionalText = Schema.NullOr(Schema.String)
const OptionalInt = Schema.NullOr(Schema.Int)

/** Any command that fails. */
export const Failed = Schema.Struct({
  error: Schema.Struct({
    code: Schema.Int,
    name: Schema.Literals(exitCodes.map(({ name }) => name)),
    message: Schema.String,
    action: Schema.String
  })
})

/** `init` */
export const Init = Schema.Struct({
  file: Schema.String,
  project: Schema.String,
  tables: Schema.Array(Schema.Struct({ name: Schema.String, source: Schema.String, columns: Schema.Int })),
  left: Schema.Array(Schema.Struct({ source: Schema.String, problem: Schema.String, action: Schema.String })),
  setup: Schema.Literals(["applied", "nothing", "pending"]),
  sql: Schema.String
})

/** `doctor` */
export const Doctor = Schema.Struct({
  healthy: Schema.Boolean,
  findings: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      status: Schema.Literals(["ok", "warn", "fail"]),
      detail: Schema.String,
      action: Schema.String
    })
  )
})

/** `source plan` and `source apply` */
export const SourcePlan = Schema.Struct({
  slot: Schema.String,
  publication: Schema.String,
  role: Schema.String,
  steps: Schema.Array(
    Schema.Struct({
      description: Schema.String,
      sql: Schema.String,
      destructive: Schema.Boolean,
      alone: Schema.Boolean
    })
  ),
  sql: Schema.String
})

const Migrations = Schema.Array(
  Schema.Struct({ description: Schema.String, sql: Schema.String, destructive: Schema.Boolean })
)

const setUp = { engine: Schema.Literals(["duckdb", "snowflake"]), warehouse: Schema.String }

/** `warehouse plan` */
export const WarehousePlan = Schema.Struct({ ...setUp, steps: Migrations, sql: Schema.String })

/** `warehouse apply`; `left` is what was not done, since it rewrites data. */
export const WarehouseApply = Schema.Struct({ ...setUp, applied: Migrations, left: Migrations })

const measured = {
  cycles: Schema.Int,
  statements: Schema.Int,
  warehouseSeconds: Schema.Number,
  bytesScanned: Schema.Number,
  changes: Schema.Number
}

/** `cost`: `projectedMonthlyUsd` is the sum of the lines' `monthlyUsd`. */
export const Cost = Schema.Struct({
  projectedMonthlyUsd: Schema.Number,
  snowflakeMonthlyUsd: Schema.Number,
  awsMonthlyUsd: Schema.Number,
  budgetUsd: Schema.Number,
  withinBudget: Schema.Boolean,
  lines: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      side: Schema.Literals(["snowflake", "aws"]),
      description: Schema.String,
      quantity: Schema.Number,
      unit: Schema.String,
      unitPriceUsd: Schema.Number,
      monthlyUsd: Schema.Number,
      assumption: Schema.String
    })
  ),
  pricesAsOf: Schema.String,
  assumptions: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number])),
  method: Schema.Struct({
    ingestion: Schema.Literals(["copy", "snowpipe"]),
    publication: Schema.Literals(["merge", "dynamicTable"])
  }),
  load: Schema.Struct({
    cyclesPerMonth: Schema.Number,
    busySeconds: Schema.Number,
    billedSeconds: Schema.Number,
    creditsPerMonth: Schema.Number,
    changesPerSecondMax: Schema.Number,
    keepsUp: Schema.Boolean,
    freshnessSeconds: Schema.Number
  }),
  /** Of the cycles that the projection uses. */
  measured: Schema.Struct(measured),
  /** All measured cycles by virtual warehouse. */
  warehouses: Schema.Array(Schema.Struct({ warehouse: Schema.String, size: Schema.String, ...measured })),
  basis: Schema.String
})

const RunSummary = Schema.Struct({
  run: Schema.String,
  batches: Schema.Int,
  rows: Schema.Int,
  judgements: Schema.Array(
    Schema.Struct({
      _tag: Schema.Literal("Judged"),
      expectation: Schema.String,
      rows: Schema.Int,
      failed: Schema.Int
    })
  )
})

/** `ingest` */
export const Ingest = Schema.Struct({
  sources: Schema.Array(Schema.Struct({ source: Schema.String, captured: RunSummary, loaded: RunSummary })),
  parked: Schema.Array(Schema.Struct({ table: Schema.String, reason: Schema.String }))
})

const LogPlan = Schema.Struct({
  after: Schema.String,
  through: Schema.String,
  records: Schema.Int,
  tables: Schema.Array(Schema.Struct({ table: Schema.String, rows: Schema.Int, bytes: Schema.Int }))
})

/** `backfill`: from the log, `plan` and, unless it is only planned, `done`; of tables of the source, `snapshot`. */
export const Backfill = Schema.Struct({
  plan: Schema.NullOr(LogPlan),
  done: Schema.NullOr(
    Schema.Struct({ id: Schema.String, after: Schema.String, through: Schema.String, summary: RunSummary })
  ),
  /** `id` is `null` for a plan; `done` is false while nobody ingests. */
  snapshot: Schema.NullOr(Schema.Struct({ tables: Texts, id: OptionalText, done: Schema.Boolean }))
})

/** `reconcile` */
export const Reconcile = Schema.Struct({
  agree: Schema.Boolean,
  parked: Texts,
  tables: Schema.Array(
    Schema.Struct({
      table: Schema.String,
      sourceRows: Schema.Int,
      curatedRows: Schema.Int,
      ranges: Schema.Int,
      differences: Schema.Array(
        Schema.Struct({
          key: Texts,
          kind: Schema.Literals(["missing", "extra", "different", "quarantined"]),
          settled: Schema.Boolean
        })
      ),
      unresolved: Schema.Int,
      since: OptionalText
    })
  )
})

/** `rollback` */
export const Rollback = Schema.Struct({
  applied: Schema.Boolean,
  batch: Schema.String,
  after: OptionalText,
  through: Schema.String,
  stream: Schema.String,
  lines: Schema.Array(
    Schema.Struct({ table: Schema.String, changes: Schema.Int, keys: Schema.Int, quarantined: Schema.Int })
  )
})

/** `status` */
export const Status = Schema.Struct({
  pipeline: Schema.String,
  sources: Schema.Array(
    Schema.Struct({
      source: Schema.String,
      kind: Schema.Literals(["postgres", "stripe", "files"]),
      log: Schema.NullOr(Schema.Struct({ head: Schema.String, writtenAt: Schema.String, behind: Schema.Int })),
      failing: OptionalText,
      refusedFiles: Schema.Int
    })
  ),
  tables: Schema.Array(
    Schema.Struct({
      source: Schema.String,
      table: Schema.String,
      through: OptionalText,
      completeThrough: OptionalText,
      lagMs: OptionalInt,
      parked: OptionalText,
      rows: Schema.Int,
      quarantined: Schema.Int,
      held: Schema.Int
    })
  ),
  batches: Schema.Array(
    Schema.Struct({
      batch: Schema.String,
      recordedAt: Schema.String,
      rows: Schema.Int,
      published: Schema.Int,
      superseded: Schema.Int,
      quarantined: Schema.Int,
      held: Schema.Int,
      takenBack: Schema.Boolean
    })
  )
})

const SqlValue = Schema.NullOr(Schema.Union([Schema.String, Schema.Number, Schema.Boolean]))

/** `query`: 64-bit integers, decimals, dates and times are texts. */
export const Query = Schema.Struct({
  columns: Texts,
  rows: Schema.Array(Schema.Record(Schema.String, SqlValue)),
  truncated: Schema.Boolean
})

/** A masked text is left out. */
const Masked = Schema.Struct({
  name: Schema.String,
  length: Schema.Int,
  text: Schema.UndefinedOr(OptionalText)
})

const quarantineLine = {
  id: Schema.String,
  table: Schema.String,
  key: Schema.Array(Masked),
  op: Schema.Literals(["upsert", "delete", "truncate"]),
  reason: Schema.String,
  version: Schema.String,
  batch: Schema.String,
  committedAtMs: OptionalInt,
  recordedAtMs: OptionalInt,
  resolution: OptionalText
}

/** `quarantine list` */
export const QuarantineList = Schema.Struct({ changes: Schema.Array(Schema.Struct(quarantineLine)) })

/** `quarantine show` */
export const QuarantineShow = Schema.Struct({
  ...quarantineLine,
  segment: Schema.String,
  values: Schema.Array(Masked),
  unchanged: Texts
})

const runLine = {
  run: Schema.String,
  program: Schema.String,
  stream: Schema.String,
  startedAtMs: Schema.Int,
  seenAtMs: Schema.Int,
  outcome: Schema.Literals(["succeeded", "failed", "interrupted", "open"]),
  detail: Schema.String,
  batches: Schema.Int,
  rows: Schema.Int
}

/** `runs list` */
export const RunsList = Schema.Struct({ runs: Schema.Array(Schema.Struct(runLine)) })

/** `runs show` */
export const RunsShow = Schema.Struct({
  ...runLine,
  facts: Schema.Array(Schema.Struct({ atMs: Schema.Int, fact: RunFact }))
})

/** `files list` */
export const FilesList = Schema.Struct({
  files: Schema.Array(
    Schema.Struct({
      source: Schema.String,
      sequence: Schema.String,
      key: Schema.String,
      detail: Schema.String,
      action: Schema.String,
      refusedAtMs: Schema.Int,
      isSuperseded: Schema.Boolean
    })
  )
})

/** `files again` */
export const FilesAgain = Schema.Struct({ source: Schema.String, sequence: Schema.String })

/** `demo` */
export const Demo = Schema.Struct({
  agree: Schema.Boolean,
  /** Path of the HTML report. */
  report: Schema.String,
  transactions: Schema.Int,
  changes: Schema.Int,
  /** From a commit at the source until readers see it. */
  freshness: Schema.Struct({ medianMs: Schema.Number, p95Ms: Schema.Number, worstMs: Schema.Number }),
  secondIngesterRefused: Schema.Boolean
})
