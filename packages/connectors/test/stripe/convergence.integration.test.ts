import { assert, it } from "@effect/vitest"
import { type Duration, Effect, Option, Result, Stream } from "effect"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { opDelete } from "../../src/landing/Block.ts"
import * as LocalStripe from "../../src/local/stripe/LocalStripe.ts"
import type { Kind } from "../../src/local/stripe/Objects.ts"
import type { World } from "../../src/local/stripe/World.ts"
import type { StripePosition } from "../../src/stripe/Position.ts"
import { inWorldTime, pull, type Row, source } from "./Fixture.ts"

const kinds: Readonly<Record<string, Kind>> = {
  "stripe.charges": "charge",
  "stripe.payment_intents": "payment_intent",
  "stripe.refunds": "refund",
  "stripe.disputes": "dispute",
  "stripe.payouts": "payout",
  "stripe.balance_transactions": "balance_transaction",
  "stripe.customers": "customer"
}
const times = new Set(["created", "arrival_date", "available_on"])
const hourMs = 3_600_000

/** Numbers from a seed, the same in every run. */
const seeded = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * below)
  }
}
type Dice = ReturnType<typeof seeded>

/** What a consumer has committed. */
class Sink {
  at: Option.Option<StripePosition> = Option.none()
  readonly rows = new Map<string, Row>()
  readonly versions = new Map<string, string>()
  conflicts = 0

  commit(through: StripePosition, rows: ReadonlyArray<Row>): void {
    for (const row of rows) {
      const key = `${row.table} ${row.values["id"]}`
      const version = `${key} ${row.position} ${row.ordinal}`
      const content = JSON.stringify([row.op, row.values])
      if ((this.versions.get(version) ?? content) !== content) this.conflicts++
      this.versions.set(version, content)
      const known = this.rows.get(key)
      if (known === undefined || isNewer(row, known)) this.rows.set(key, row)
    }
    this.at = Option.some(through)
  }
}

const isNewer = (a: Row, b: Row): boolean =>
  a.position > b.position || (a.position === b.position && a.ordinal > b.ordinal)

/** Something happens in the account. */
const live = (world: World, dice: Dice): void => {
  const any = (of: ReadonlyArray<{ readonly id: string }>): string => of[dice(of.length)]?.id ?? "none"
  const charges = world.objects("charge")
  const intents = world.objects("payment_intent")
  // An act that the account refuses is one that did not happen.
  const acts: ReadonlyArray<() => unknown> = [
    () => pay(world, dice),
    () => pay(world, dice),
    () => world.capture(any(intents), dice(2) === 0 ? {} : { amountMinor: 100 }),
    () => world.cancel(any(intents)),
    () => world.retry(any(intents)),
    () =>
      world.refund({
        charge: any(charges),
        amountMinor: 100 + dice(200),
        ...(dice(3) === 0 ? { pending: "processing" } : {})
      }),
    () => world.settleRefund(any(world.objects("refund")), dice(2) === 0 ? "succeeded" : "failed"),
    () => world.dispute({ charge: any(charges), isInquiry: dice(3) === 0 }),
    () => world.escalateDispute(any(world.objects("dispute"))),
    () => world.answerDispute(any(world.objects("dispute"))),
    () => world.resolveDispute(any(world.objects("dispute")), dice(2) === 0 ? "won" : "lost"),
    () => world.addCustomer({ email: `${dice(1e6)}@example.com` }),
    () => world.failPayout(any(world.objects("payout"))),
    () => world.advance(dice(6) * hourMs)
  ]
  acts[dice(acts.length)]?.()
  world.advance(dice(120) * 1000)
}

const pay = (world: World, dice: Dice): void => {
  world.pay({
    orderId: `order-${dice(1e6)}`,
    amountMinor: 1000 + dice(100) * 10,
    currency: ["usd", "eur", "jpy", "kwd"][dice(4)] ?? "usd",
    capture: (["automatic", "automatic_async", "manual"] as const)[dice(3)] ?? "automatic",
    outcome: dice(5) === 0 ? "declined" : "succeeded"
  })
}

/** Two readings of one event, of lost ones, late lists, refused requests, and an account that changes under the reader. */
const trouble = ({ faults, world }: LocalStripe.LocalStripe, dice: Dice): void => {
  faults.listLagMs = [0, 300_000]
  faults.eventLagMs = [0, 300_000]
  faults.eventDelayMs = [0, 120_000]
  faults.eventsMissing = 0.2
  faults.eventsDuplicated = 0.2
  faults.refusedAtRandom = [
    ["rateLimited", 0.03],
    ["unavailable", 0.004],
    ["cutBefore", 0.002]
  ]
  faults.afterPage = () => {
    if (dice(4) === 0) live(world, dice)
  }
}

const calm = ({ faults }: LocalStripe.LocalStripe): void => {
  faults.listLagMs = faults.eventLagMs = faults.eventDelayMs = [0, 0]
  faults.eventsMissing = faults.eventsDuplicated = 0
  faults.refusedAtRandom = []
  faults.afterPage = undefined
}

const killed = new ConnectorError({
  connector: "test",
  operation: "read",
  detail: "killed",
  action: "none",
  reason: new Unavailable({ cause: "killed" })
})

/** Reads on from the last commit until killed: at a failpoint, or after a batch was handed over and before its commit. */
const readOn = (local: LocalStripe.LocalStripe, sink: Sink, dice: Dice, sweepEvery: Duration.Input) =>
  Effect.gen(function* () {
    let pointsLeft = 10 + dice(120)
    const reader = yield* source(local, { sweepEvery }).open
    yield* reader.read({ after: sink.at, through: Option.none() }).pipe(
      Stream.mapEffect(pull),
      Stream.runForEach(({ through, rows }) => {
        if (dice(8) === 0) return Effect.fail(killed)
        return Effect.sync(() => {
          sink.commit(through, rows)
          for (let n = dice(6); n > 0; n--) live(local.world, dice)
        })
      }),
      Effect.provideService(Failpoint.Failpoint, () => (pointsLeft-- > 0 ? Effect.void : Effect.fail(killed)))
    )
  }).pipe(
    Effect.scoped,
    Effect.catchTag("ConnectorError", (error) => {
      // Refused for longer than the package tries: a program would try again later.
      assert.isTrue(error.isRetryable, error.message)
      return Effect.void
    })
  )

/** Every object of the account as the captured columns say it, beside what was committed. */
const differences = (world: World, sink: Sink): ReadonlyArray<string> => {
  const found: Array<string> = []
  const expected = new Set<string>()
  for (const [table, kind] of Object.entries(kinds)) {
    for (const object of world.objects(kind)) {
      const key = `${table} ${object.id}`
      expected.add(key)
      const row = sink.rows.get(key)
      if (row === undefined || row.op === opDelete) found.push(`${key} is missing`)
      for (const [path, text] of Object.entries(row?.values ?? {})) {
        const truth = textAt(object, path)
        if (truth !== text) found.push(`${key}.${path} is ${text}, should be ${truth}`)
      }
    }
  }
  for (const [key, row] of sink.rows) if (row.op !== opDelete && !expected.has(key)) found.push(`${key} is too much`)
  return found
}

const textAt = (object: object, path: string): string | null => {
  const value = path
    .split(".")
    .reduce<unknown>((of, name) => (of as Record<string, unknown> | undefined)?.[name], object)
  if (value === undefined || value === null) return null
  if (times.has(path)) {
    const text = new Date(Number(value) * 1000).toISOString().slice(0, 19)
    return path === "created" ? `${text}Z` : path === "arrival_date" ? text.slice(0, 10) : text
  }
  if (typeof value === "boolean") return value ? "t" : "f"
  if (typeof value === "number" || typeof value === "string") return `${value}`
  if (typeof value !== "object") return null
  return "object" in value && "id" in value ? String(value.id) : canonical(value)
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner
  )

/** Random lives, read under trouble; then nothing is left to find but what the last read must find. */
const converges = (seed: number, eventsMissing: number, sweepEvery: Duration.Input) =>
  Effect.gen(function* () {
    const dice = seeded(seed)
    const local = yield* LocalStripe.start({ startMs: Date.UTC(2026, 10, 1), seed })
    const sink = new Sink()
    yield* Effect.gen(function* () {
      for (let n = 0; n < 150; n++) live(local.world, dice)
      trouble(local, dice)
      local.faults.eventsMissing = eventsMissing
      for (let n = 0; n < 25; n++) yield* readOn(local, sink, dice, sweepEvery)
      calm(local)
      local.world.advance(7 * hourMs)
      const reader = yield* source(local, { sweepEvery }).open
      const through = yield* reader.head
      yield* Stream.runForEach(Stream.mapEffect(reader.read({ after: sink.at, through }), pull), (read) =>
        Effect.sync(() => sink.commit(read.through, read.rows))
      )
      assert.deepStrictEqual(differences(local.world, sink), [])
      assert.strictEqual(sink.conflicts, 0)
      assert.isAbove(sink.rows.size, 200)
    }).pipe(inWorldTime(local.world))
  }).pipe(Effect.scoped)

const seeds = Number(process.env["NORTHSTAR_RUNS"] ?? 1)

for (let seed = 1; seed <= seeds; seed++) {
  it.live(`events and lists, late, twice and in any order, are enough without a sweep (seed ${seed})`, () =>
    converges(seed, 0, "1000 days")
  )
  it.live(`a sweep finds what lost events have missed (seed ${seed})`, () => converges(seed, 0.3, "6 hours"))
}

it.live("a customer deleted while its event comes late is gone in the end", () =>
  Effect.gen(function* () {
    const local = yield* LocalStripe.start({ startMs: Date.UTC(2026, 10, 1), seed: 1 })
    const sink = new Sink()
    yield* Effect.gen(function* () {
      const customers = Array.from({ length: 20 }, (_, n) => local.world.addCustomer({ email: `${n}@example.com` }))
      local.faults.listLagMs = local.faults.eventLagMs = [0, 300_000]
      local.faults.eventsDuplicated = 0.5
      const dice = seeded(1)
      for (const { id } of customers.slice(5)) {
        yield* readOn(local, sink, dice, "1 day")
        Result.getOrThrow(local.world.deleteCustomer(id))
      }
      calm(local)
      local.world.advance(hourMs)
      const reader = yield* source(local).open
      const through = yield* reader.head
      yield* Stream.runForEach(Stream.mapEffect(reader.read({ after: sink.at, through }), pull), (read) =>
        Effect.sync(() => sink.commit(read.through, read.rows))
      )
      assert.deepStrictEqual(differences(local.world, sink), [])
    }).pipe(inWorldTime(local.world))
  }).pipe(Effect.scoped)
)
