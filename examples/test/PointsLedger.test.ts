import { it } from "@effect/vitest"
import { sequence } from "@northstar/core/Position"
import { SinkLaws } from "@northstar/core/testing"
import { Arbitrary, Context, Effect, Layer, Schema } from "effect"
import { PointsLedger, sink } from "../loyalty/src/PointsLedger.ts"

const key = { pipeline: "laws", stream: "points" }
const position = sequence("laws/sequence")

const Award = Schema.Struct({ member: Schema.Literals(["ann", "bob"]), points: Schema.Literals([1, 2, 5]) })
const awards = Arbitrary.array(Arbitrary.schema(Award), { maxLength: 4 })

/** A fresh database, with what the laws need to know of it: how to open a writer, and what is stored. */
const make = Effect.gen(function* () {
  const services = yield* Layer.build(PointsLedger.layer(":memory:"))
  const { database } = Context.get(services, PointsLedger)
  return {
    open: Effect.provideContext(sink.open(key, position), services),
    contents: Effect.sync(() =>
      database
        .prepare("SELECT * FROM points ORDER BY member")
        .all()
        .map((row) => ({ ...row }))
    )
  }
})

const batches = Arbitrary.array(awards, { minLength: 1, maxLength: 5 })

for (const law of SinkLaws.laws({ name: "points", position, at: BigInt, batches, make, runs: 20 })) {
  it.effect(law.name, () => law.check)
}
