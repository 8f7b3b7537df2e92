import { Schema } from "effect"

/** What a process under proof does, and where. */
export const Task = Schema.Struct({
  stand: Schema.Struct({ url: Schema.String, folder: Schema.String }),
  run: Schema.Union([
    Schema.Struct({ program: Schema.Literal("setup") }),
    Schema.Struct({ program: Schema.Literal("ingest"), untilCaughtUp: Schema.Boolean }),
    Schema.Struct({
      program: Schema.Literal("backfill"),
      id: Schema.String,
      after: Schema.String,
      through: Schema.String
    }),
    Schema.Struct({ program: Schema.Literal("rollback"), batch: Schema.String }),
    Schema.Struct({ program: Schema.Literal("retain") })
  ])
})
export type Task = typeof Task.Type
