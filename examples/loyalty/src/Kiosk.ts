import { readFile } from "node:fs/promises"
import { Effect, Option, Schema, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import { ConnectorError, InvalidData, Unavailable } from "@northstar/core/ConnectorError"
import { sequence } from "@northstar/core/Position"
import type { Source } from "@northstar/core/Source"

/** A member's card, read at the till; `line` is where the kiosk wrote it down. */
export interface Scan {
  readonly line: bigint
  readonly member: string
  readonly spentMinor: number
}

/** Lines of the journal that have been read. */
const position = sequence("loyalty/line")

/** Lines of one batch at most. */
const batchLinesMax = 500

/** The journal that a kiosk appends to, one line of JSON a scan. A line counts once its line break is written. */
export const source = (file: string): Source<Scan, bigint> => ({
  name: "kiosk",
  position,
  open: Effect.succeed({
    read: (range) =>
      Stream.unfold(
        Option.getOrElse(range.after, () => 0n),
        Effect.fnUntraced(function* (after) {
          const through = Option.getOrUndefined(range.through)
          if (through !== undefined && after >= through) return
          const lines = yield* linesAfter(file, after)
          const some = lines
            .slice(0, through === undefined ? undefined : Number(through - after))
            .slice(0, batchLinesMax)
          const rows = yield* Effect.forEach(some, (line, at) => scan(after + BigInt(at) + 1n, line))
          const end = after + BigInt(rows.length)
          return [Batch.make({ after: after === 0n ? Option.none() : Option.some(after), through: end }, rows), end]
        })
      ),
    head: Effect.map(lines(file), ({ length }) => (length === 0 ? Option.none() : Option.some(BigInt(length)))),
    release: () => Effect.void
  })
})

/** At least one line after `after`, waiting for it if need be. */
const linesAfter = (file: string, after: bigint) =>
  lines(file).pipe(
    Effect.map((all) => all.slice(Number(after))),
    Effect.tap((rest) => (rest.length === 0 ? Effect.sleep("1 second") : Effect.void)),
    Effect.repeat({ until: (rest) => rest.length > 0 })
  )

const lines = (file: string) =>
  Effect.map(
    Effect.tryPromise({
      try: () => readFile(file, "utf8"),
      catch: (cause) => failure(`${file} cannot be read`, "Check the kiosk's share", new Unavailable({ cause }))
    }),
    (text) => text.split("\n").slice(0, -1)
  )

const Line = Schema.fromJsonString(Schema.Struct({ member: Schema.NonEmptyString, spentMinor: Schema.Int }))

const scan = (line: bigint, text: string) =>
  Schema.decodeEffect(Line)(text).pipe(
    Effect.map((fields): Scan => ({ line, ...fields })),
    Effect.mapError(() => {
      const detail = `line ${line} is not a scan`
      return failure(detail, "Correct the line in the journal", new InvalidData({ detail }))
    })
  )

const failure = (detail: string, action: string, reason: ConnectorError["reason"]) =>
  new ConnectorError({ connector: "kiosk", operation: "read", detail, action, reason })
