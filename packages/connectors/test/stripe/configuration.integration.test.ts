import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as LocalStripe from "../../src/local/stripe/LocalStripe.ts"
import * as Capture from "../../src/project/Capture.ts"
import * as Project from "../../src/project/Project.ts"
import * as Services from "../../src/project/Services.ts"
import { temporaryFolder } from "../landing/Stores.ts"
import { tables } from "./Fixture.ts"

const pace = { overlapMinutes: 90, sweep: { everyHours: 1e-6, daysBack: 3 } }
const options: Parameters<typeof Project.stripe>[0] = { apiKey: "", tables: [tables.charges] }

/** Runs a capture until it is caught up; answers how long before it the lists began, in minutes, to the ten below. */
const spans = Effect.fnUntraced(function* (more: Partial<typeof options>) {
  const local = yield* LocalStripe.start({ seed: 1 })
  local.world.advance(10 * 86_400_000)
  Result.getOrThrow(local.world.pay({ orderId: "order-1", amountMinor: 1000, currency: "usd", capture: "automatic" }))
  const folder = yield* temporaryFolder
  const endpoint = `http://${local.host}:${local.port}`
  const project = Project.define({
    name: "shop",
    sources: [Project.stripe({ ...options, ...more, apiKey: local.apiKey, endpoint })],
    landing: Project.folder(folder)
  })
  const run = Effect.forEach(Project.feeds(project), (feed) =>
    Capture.run(feed, { untilCaughtUp: true, onCommit: () => Effect.void })
  ).pipe(Effect.scoped, Effect.provide(Services.layer(project)))
  yield* run
  yield* run
  const begun = local.requests.flatMap(({ atMs, url }) => {
    const since = new URL(url, endpoint).searchParams.get("created[gte]")
    return since === null || since === "0" || !url.startsWith("/v1/charges?")
      ? []
      : [atMs / 60_000 - Number(since) / 60]
  })
  return new Set(begun.map((minutes) => Math.floor(minutes / 10) * 10))
})

it.live("overlap and sweep of the configuration reach the lists", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* spans(pace), new Set([90, 3 * 1440]))
    assert.deepStrictEqual(yield* spans({}), new Set([10]))
  }).pipe(Effect.scoped)
)
