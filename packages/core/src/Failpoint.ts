import { Context, Effect } from "effect"
import type { ConnectorError } from "./ConnectorError.ts"

/**
 * Called at every named durable step of the connectors; does nothing by default. Tests replace it to fail, to die or
 * to kill the process at a step.
 */
export const Failpoint = Context.Reference<(name: string) => Effect.Effect<void, ConnectorError>>(
  "@northstar/core/Failpoint",
  { defaultValue: () => () => Effect.void }
)

const names = new Set<string>()

/**
 * Names the durable steps of one module, in the order in which they are passed, and returns the function that passes
 * them: `const step = Failpoint.declare("landing", ["segment.written", "record.linked"])`.
 */
export const declare = <const Steps extends ReadonlyArray<string>>(
  module: string,
  steps: Steps
): ((step: Steps[number]) => Effect.Effect<void, ConnectorError>) => {
  for (const step of steps) names.add(`${module}.${step}`)
  return (step) => Effect.flatMap(Failpoint, (hit) => hit(`${module}.${step}`))
}

/** Every failpoint of the modules loaded so far: what a crash matrix iterates over. */
export const declared = (): ReadonlyArray<string> => [...names].toSorted()
