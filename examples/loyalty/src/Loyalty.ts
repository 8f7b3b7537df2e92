import { Schedule } from "effect"
import { enforce, everyRow } from "@northstar/core/Expectation"
import * as Pipeline from "@northstar/core/Pipeline"
import * as Stage from "@northstar/core/Stage"
import * as Kiosk from "./Kiosk.ts"
import { type Award, sink } from "./PointsLedger.ts"

/** No purchase costs more than 10,000 pounds, and none less than nothing: else the till is broken. */
export const believable = everyRow<Kiosk.Scan>({
  name: "believable_spend",
  holds: ({ spentMinor }) => spentMinor >= 0 && spentMinor <= 1_000_000,
  // Where it stands, never what it holds.
  locate: ({ line }) => ({ table: "scans", version: { epoch: 1, position: line, ordinal: 0, revision: 1 } })
})

/** One point for every full pound. */
export const award = ({ member, spentMinor }: Kiosk.Scan): Award => ({ member, points: Math.floor(spentMinor / 100) })

/** Source, stage and sink, joined. A scan that is not believable stops its batch before the sink. */
export const pipeline = (journal: string) =>
  Pipeline.make({
    key: { pipeline: "loyalty", stream: "kiosk" },
    source: Kiosk.source(journal),
    stage: Stage.compose(enforce(believable), Stage.map(award)),
    sink,
    retry: Schedule.exponential("100 millis").pipe(
      Schedule.upTo({ times: 5 }),
      Schedule.setInputType<Pipeline.RunError>(),
      Schedule.while(({ input }) => input._tag === "ConnectorError" && input.isRetryable)
    )
  })
