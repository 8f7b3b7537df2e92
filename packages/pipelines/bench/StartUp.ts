import { Clock, Effect } from "effect"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { median } from "./Measure.ts"

const cli = fileURLToPath(new URL("../../cli/bin/northstar.js", import.meta.url))
const turns = 15

/** Milliseconds that `northstar --help` and an empty Node take to start, medians of runs in turn. */
export const startUp = Effect.gen(function* () {
  const help: Array<number> = []
  const node: Array<number> = []
  for (let turn = 0; turn < turns; turn++) {
    node.push(yield* took(["-e", "0"]))
    help.push(yield* took([cli, "--help"]))
  }
  return { helpMs: median(help), nodeMs: median(node) }
})

const took = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const startMs = yield* Clock.currentTimeMillis
  const { status } = spawnSync(process.execPath, args, { stdio: "ignore" })
  if (status !== 0) return yield* Effect.die(`node ${args.join(" ")} ended with ${status}: build first`)
  return (yield* Clock.currentTimeMillis) - startMs
})
