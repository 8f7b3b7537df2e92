import { Schema } from "effect"
import { Stand } from "./Stand.ts"

/** What a process under proof does, and where. */
export const Task = Schema.Struct({
  /** What its machine does to it. */
  world: Schema.optionalKey(
    Schema.Union([
      /** The landing folder's disk is full from the n-th write on. */
      Schema.Struct({ kind: Schema.Literal("disk full"), nth: Schema.Int }),
      /** The clock is set to another time, again and again. */
      Schema.Struct({ kind: Schema.Literal("clock jumps"), maxMs: Schema.Int })
    ])
  ),
  stand: Stand,
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
