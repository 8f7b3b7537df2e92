import { Effect, Layer } from "effect"
import * as Pipeline from "@northstar/core/Pipeline"
import { RunLedger } from "@northstar/core/RunLedger"
import { pipeline } from "./Loyalty.ts"
import { PointsLedger } from "./PointsLedger.ts"

const [journal = "scans.jsonl", database = "points.sqlite"] = process.argv.slice(2)

const { batches, rows } = await Pipeline.run(pipeline(journal), { program: "loyalty", untilCaughtUp: true }).pipe(
  Effect.provide(Layer.merge(PointsLedger.layer(database), RunLedger.layerMemory)),
  Effect.runPromise
)
process.stdout.write(`${rows} scans in ${batches} batches\n`)
