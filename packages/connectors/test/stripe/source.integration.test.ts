import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, it } from "@effect/vitest"
import { Effect, Logger, Option, Result, type Scope, Stream } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { SourceLaws } from "@northstar/core/testing"
import { opDelete, opUpsert } from "../../src/landing/Block.ts"
import * as LocalStripe from "../../src/local/stripe/LocalStripe.ts"
import type { World } from "../../src/local/stripe/World.ts"
import { testRates } from "../../src/stripe/RateLimiter.ts"
import type { StripePosition } from "../../src/stripe/Position.ts"
import { inWorldTime, lastOf, pull, type Read, rows, source, tables, toHead } from "./Fixture.ts"

const startMs = Date.UTC(2026, 10, 1)
const hourMs = 3_600_000
const start = LocalStripe.start({ startMs, seed: 1 })

const pay = (world: World, orderId: string, amountMinor = 1000) =>
  Result.getOrThrow(world.pay({ orderId, amountMinor, currency: "usd", capture: "automatic" }))

/** A server with some history, a source of it, and time that passes for both. */
const withStripe = <A, E>(use: (local: LocalStripe.LocalStripe) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const local = yield* start
    return yield* use(local).pipe(inWorldTime(local.world))
  }).pipe(Effect.scoped)

const laws = SourceLaws.laws({
  name: "Stripe",
  live: true,
  make: Effect.gen(function* () {
    const local = yield* start
    for (let n = 0; n < 30; n++) {
      pay(local.world, `order-${n}`)
      local.world.advance(hourMs)
    }
    // The laws run without the world's clock: its history ended where the present begins.
    const made = source(local)
    return {
      ...made,
      open: Effect.map(inWorldTime(local.world)(made.open), (reader) => ({
        ...reader,
        head: inWorldTime(local.world)(reader.head),
        read: (range: Parameters<typeof reader.read>[0]) =>
          Stream.fromIterableEffect(inWorldTime(local.world)(Stream.runCollect(reader.read(range))))
      }))
    }
  })
})
for (const law of laws) it.live(law.name, () => law.check)

it.live("the first run reads the whole history in bounded batches, and each goes on where the last ended", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      for (let n = 0; n < 2300; n++) {
        pay(local.world, `order-${n}`)
        local.world.advance(60_000)
      }
      const reader = yield* source(local, { tables: [tables.charges, tables.balance_transactions] }).open
      let after = Option.none<StripePosition>()
      const found = new Map<string, number>()
      const through = yield* reader.head
      let batches = 0
      // A reader of its own for every batch: nothing but the position is remembered.
      while (true) {
        const [batch] = yield* Stream.runCollect(Stream.take(reader.read({ after, through }), 1))
        if (batch === undefined) break
        after = Option.some(batch.through)
        batches++
        for (const chunk of yield* Stream.runCollect(batch.chunks)) {
          for (const block of chunk) {
            assert.isAtMost(block.rows, 2100)
            found.set(block.relation.table, (found.get(block.relation.table) ?? 0) + block.rows)
          }
        }
      }
      assert.isAtLeast(batches, 3)
      assert.isAtLeast(found.get("stripe.charges") ?? 0, 2300)
      assert.isAtLeast(found.get("stripe.balance_transactions") ?? 0, 2300)
    })
  )
)

it.live("columns are the contract's paths, as PostgreSQL's texts", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const { charge } = pay(local.world, "order-1", 12_345)
      local.world.advance(2 * 24 * hourMs)
      const reads = yield* toHead(yield* source(local).open)
      const found = rows(reads)
      const row = found.find(({ table }) => table === "stripe.charges")
      const outcome = row?.values["outcome"]
      assert.deepStrictEqual(row?.values, {
        id: charge.id,
        amount: "12345",
        amount_captured: "12345",
        amount_refunded: "0",
        currency: "usd",
        status: "succeeded",
        captured: "t",
        refunded: "f",
        disputed: "f",
        payment_intent: charge.payment_intent as string,
        balance_transaction: charge.balance_transaction as string,
        "metadata.order_id": "order-1",
        "payment_method_details.card.last4": charge.payment_method_details?.card?.last4 ?? null,
        outcome: outcome ?? null,
        created: "2026-11-01T00:00:00Z"
      })
      assert.deepStrictEqual(JSON.parse(outcome ?? "null"), charge.outcome)
      const ledger = found.filter(({ table }) => table === "stripe.balance_transactions")
      assert.deepStrictEqual(ledger.map(({ position, ordinal }) => [position, ordinal])[0], [BigInt(charge.created), 0])
      const payout = found.find(({ table }) => table === "stripe.payouts")
      assert.match(payout?.values["arrival_date"] ?? "", /^2026-11-\d\d$/)
      assert.match(ledger[0]?.values["available_on"] ?? "", /^2026-11-\d\dT00:00:00$/)
    })
  )
)

it.live("a changed object comes again once, with a larger version, and nothing comes again unchanged", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const { charge } = pay(local.world, "order-1")
      const other = pay(local.world, "order-2")
      const reader = yield* source(local, { sweepEvery: "1 hour" }).open
      const first = yield* toHead(reader)
      const seen = rows(first).filter(({ table }) => table === "stripe.charges")
      assert.deepStrictEqual(new Set(seen.map(({ values }) => values["id"])), new Set([charge.id, other.charge.id]))
      const polls = yield* Stream.runCollect(
        reader.read({ after: Option.none(), through: Option.none() }).pipe(
          Stream.tap(() => Effect.sync(() => local.world.advance(hourMs))),
          Stream.take(4),
          Stream.mapEffect((batch) => Stream.runCollect(batch.chunks))
        )
      )
      assert.deepStrictEqual(
        polls.map((chunks) => chunks.length > 0),
        [true, false, false, false]
      )
      Result.getOrThrow(local.world.refund({ charge: charge.id, amountMinor: 300 }))
      const next = rows(yield* toHead(reader, lastOf(first)))
      const again = next.findLast(({ values }) => values["id"] === charge.id)
      assert.strictEqual(again?.values["amount_refunded"], "300")
      assert.isTrue((again?.position ?? 0n) > (seen[0]?.position ?? 0n))
      assert.strictEqual(next.filter(({ table }) => table === "stripe.refunds").length, 1)
    })
  )
)

it.live("a deleted customer is a delete of its key", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const customer = local.world.addCustomer({ email: "a@example.com" })
      const reader = yield* source(local, { tables: [tables.customers] }).open
      const first = yield* toHead(reader)
      Result.getOrThrow(local.world.deleteCustomer(customer.id))
      const [row, ...more] = rows(yield* toHead(reader, lastOf(first)))
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual([row?.op, row?.values], [opDelete, { id: customer.id, email: null, created: null }])
    })
  )
)

it.live("a customer whose deletion has no event is found by the sweep, which no longer meets it", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const [kept, gone] = [1, 2].map((n) => local.world.addCustomer({ email: `${n}@example.com` }))
      const reader = yield* source(local, { tables: [tables.customers], sweepEvery: "1 day" }).open
      let polls = 0
      const reads = yield* reader.read({ after: Option.none(), through: Option.none() }).pipe(
        Stream.tap(() =>
          Effect.sync(() => {
            local.world.faults.eventsMissing = 1
            if (++polls === 3) Result.getOrThrow(local.world.deleteCustomer(gone?.id ?? ""))
            local.world.advance(7 * hourMs)
          })
        ),
        Stream.take(12),
        Stream.mapEffect(pull),
        Stream.runCollect
      )
      const found = rows(reads).map(({ op, values }) => [op, values["id"]])
      assert.sameDeepMembers(found, [
        [opUpsert, kept?.id],
        [opUpsert, gone?.id],
        [opDelete, gone?.id]
      ])
      // Each read once by its first event, and the one that is gone once more: not again with every sweep.
      assert.lengthOf(
        local.requests.filter(({ url }) => url.startsWith("/v1/customers/")),
        3
      )
    })
  )
)

it.live("a customer that is not there for the key is kept and counted: only Stripe's word is a deletion", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const customer = local.world.addCustomer({ email: "a@example.com" })
      const reader = yield* source(local, { tables: [tables.customers] }).open
      const first = yield* toHead(reader)
      // Too old for the list of what is new: only the event tells.
      local.world.advance(hourMs)
      local.world.state.change("customer", customer.id, { email: "b@example.com" }, ["customer.updated"])
      local.faults.refuse("missing", { path: `/v1/customers/${customer.id}` })
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      const unreadable = yield* Effect.provide(toHead(reader, lastOf(first)), Logger.layer([logger]))
      assert.deepStrictEqual(rows(unreadable), [])
      assert.isTrue(logged.some((line) => line.includes("1 objects of stripe.customers")))
      assert.isFalse(logged.some((line) => line.includes(customer.id)))
      // The next reader, which remembers nothing, reads it by the same event again.
      const [row] = rows(yield* toHead(reader, lastOf(unreadable)))
      assert.strictEqual(row?.values["email"], "b@example.com")
    })
  )
)

it.live("a page goes on where the last one ended, though its last customer has been deleted meanwhile", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      for (let n = 0; n < 250; n++) {
        local.world.addCustomer({ email: `${n}@example.com` })
        if (n % 3 === 0) local.world.advance(1000)
      }
      local.world.faults.afterPage = ({ kind, ids }) => {
        if (kind === "customer") local.world.deleteCustomer(ids.at(-1) ?? "")
      }
      const reader = yield* source(local, { tables: [tables.customers] }).open
      const walked = yield* toHead(reader)
      local.world.faults.afterPage = undefined
      const found = rows([...walked, ...(yield* toHead(reader, lastOf(walked)))])
      const live = new Set<string | null | undefined>()
      for (const row of found) {
        if (row.op === opUpsert) live.add(row.values["id"])
        else live.delete(row.values["id"])
      }
      assert.deepStrictEqual(live, new Set(local.world.objects("customer").map(({ id }) => id)))
    })
  )
)

it.live("a backfill reads its range again under new versions, once for its id", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const old = pay(local.world, "order-1")
      local.world.advance(40 * 24 * hourMs)
      pay(local.world, "order-2")
      const first = yield* toHead(yield* source(local, { tables: [tables.charges] }).open)
      const from = new Date(startMs)
      const backfill = { id: "b1", from, to: new Date(startMs + hourMs) }
      const again = yield* source(local, { tables: [tables.charges], backfill }).open
      const second = yield* toHead(again, lastOf(first))
      const ids = rows(second).map(({ values }) => values["id"])
      assert.isTrue(ids.includes(old.charge.id))
      assert.strictEqual(ids.filter((id) => id === old.charge.id).length, 1)
      local.world.advance(hourMs)
      const third = rows(yield* toHead(again, lastOf(second)))
      assert.isFalse(third.some(({ values }) => values["id"] === old.charge.id))
    })
  )
)

it.live("S5 release: nothing at Stripe depends on what was released: all of it can be read again", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      pay(local.world, "order-1")
      const reader = yield* source(local).open
      const first = yield* toHead(reader)
      yield* reader.release(Option.getOrThrow(lastOf(first)))
      const idsOf = (reads: ReadonlyArray<Read>) =>
        new Set(rows(reads).map(({ table, values }) => `${table} ${values["id"]}`))
      assert.deepStrictEqual(idsOf(yield* toHead(reader)), idsOf(first))
    })
  )
)

it.live("after a month without a reader the history is read again, since its events are gone", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const { charge } = pay(local.world, "order-1")
      local.world.advance(40 * 24 * hourMs)
      const reader = yield* source(local, { tables: [tables.charges] }).open
      const first = yield* toHead(reader)
      Result.getOrThrow(local.world.refund({ charge: charge.id, amountMinor: 300 }))
      local.world.advance(40 * 24 * hourMs)
      const next = rows(yield* toHead(reader, lastOf(first)))
      assert.strictEqual(next[0]?.values["amount_refunded"], "300")
    })
  )
)

it.live(
  "S6 incarnation: a position of another account, or of a later epoch, is refused; an older epoch starts over",
  () =>
    withStripe(
      Effect.fnUntraced(function* (local) {
        pay(local.world, "order-1")
        const reader = yield* source(local).open
        const first = yield* toHead(reader)
        const at = Option.getOrThrow(lastOf(first))
        assert.strictEqual(at.account, "acct_northstar_local")
        const other = yield* Effect.flip(toHead(reader, Option.some({ ...at, account: "acct_2" })))
        assert.strictEqual(other.reason._tag, "HistoryLost")
        const live = yield* Effect.flip(toHead(reader, Option.some({ ...at, isLive: true })))
        assert.include(live.message, "live mode")
        const ahead = Option.some({ ...at, epoch: 2 })
        const later = yield* Effect.flip(Stream.runDrain(reader.read({ after: ahead, through: Option.none() })))
        assert.strictEqual(later.reason._tag, "Misconfigured")
        const accepted = yield* source(local, { epoch: 2 }).open
        const again = yield* toHead(accepted, Option.some(at))
        assert.isAtLeast(rows(again).length, rows(first).length)
        assert.strictEqual(again[0]?.through.epoch, 2)
      })
    )
)

it.live("S6 incarnation: a key that may not tell its account needs its name, and is held against what was read", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      pay(local.world, "order-1")
      const restricted = (server: LocalStripe.LocalStripe, account?: string) => {
        server.faults.refuse("forbidden", { path: "/v1/account" })
        return source(server, account === undefined ? {} : { account }).open
      }
      const unnamed = yield* Effect.flip(restricted(local))
      assert.strictEqual(unnamed.reason._tag, "Unauthorized")
      for (const way of ["rak_accounts_kyc_basic_read", 'account: "acct_…"']) assert.include(unnamed.action, way)
      const account = "acct_northstar_local"
      const first = yield* toHead(yield* restricted(local, account))
      const at = lastOf(first)
      assert.strictEqual(Option.getOrThrow(at).account, account)
      local.world.advance(hourMs)
      yield* toHead(yield* restricted(local, account), at)
      // A key of another account under the same name.
      const stranger = yield* LocalStripe.start({ startMs: local.world.nowMs, seed: 2 })
      pay(stranger.world, "order-1")
      const reader = yield* restricted(stranger, account)
      const swapped = yield* Effect.flip(Stream.runDrain(reader.read({ after: at, through: Option.none() })))
      assert.strictEqual(swapped.reason._tag, "HistoryLost")
      const wrong = yield* Effect.flip(source(local, { account: "acct_2" }).open)
      assert.strictEqual(wrong.reason._tag, "Misconfigured")
      assert.include(wrong.detail, "acct_2")
    })
  )
)

const refused = (columns: Table.Columns, key: string, from = "stripe.balance_transactions") =>
  withStripe((local) =>
    source(local, {
      tables: [Table.make("t", { source: from, key: [key], columns }) as Table.Table]
    }).open.pipe(Effect.flip)
  )

it.live("contracts that Stripe's objects cannot fill are refused with the column to change", () =>
  Effect.gen(function* () {
    const id = Column.text
    const status = yield* refused({ id, status: Column.text }, "id")
    assert.include(status.message, "status of stripe.balance_transactions changes")
    assert.include((yield* refused({ id, n: Column.int64 }, "n")).message, "not the object's id")
    assert.include((yield* refused({ id }, "id", "stripe.nothing")).message, "stripe.balance_transactions")
    const shadowed = {
      id,
      type: Column.renamedFrom(Column.text, "source"),
      kind: Column.renamedFrom(Column.text, "type")
    }
    assert.include((yield* refused(shadowed, "id")).message, "column type is read from source")
    const behind = Table.make("charges", {
      source: "stripe.charges",
      key: ["id"],
      columns: { id, fee: Column.renamedFrom(Column.nullable(Column.int64), "balance_transaction.fee") }
    })
    const error = yield* withStripe((local) => {
      pay(local.world, "order-1")
      return Effect.flatMap(source(local, { tables: [behind] }).open, (reader) => Effect.flip(toHead(reader)))
    })
    assert.include(error.message, "balance_transaction.fee of stripe.charges goes through an id")
  })
)

it.live("refusals become errors that say what to do, without keys or ids; a 429 is waited out", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const { charge } = pay(local.world, "order-1")
      const reader = yield* source(local).open
      local.faults.refuse("forbidden", { path: "/v1/disputes" })
      const forbidden = yield* Effect.flip(toHead(reader))
      assert.strictEqual(forbidden.reason._tag, "Unauthorized")
      assert.include(forbidden.message, "list stripe.disputes")
      assert.include(forbidden.message, "rak_dispute_read")
      local.faults.refuse("rateLimited", { times: 4, path: "/v1/charges" })
      const first = yield* toHead(reader)
      assert.isTrue(rows(first).some(({ values }) => values["id"] === charge.id))
      local.faults.refuse("rateLimited", { times: 100, path: "/v1/charges" })
      const limited = yield* Effect.flip(toHead(reader))
      assert.strictEqual(limited.reason._tag, "RateLimited")
      assert.isTrue(limited.isRetryable)
      for (const { message } of [forbidden, limited]) {
        assert.notInclude(message, local.apiKey)
        assert.notInclude(message, charge.id)
      }
    })
  )
)

it.live("a wrong key is Unauthorized, a server that is not there Unavailable", () =>
  withStripe(
    Effect.fnUntraced(function* (local) {
      const error = yield* Effect.flip(source({ ...local, apiKey: "sk_test_wrong" }).open)
      assert.strictEqual(error.reason._tag, "Unauthorized")
      assert.notInclude(error.message, "sk_test_wrong")
      const absent = yield* Effect.flip(source({ ...local, port: 1 }).open)
      assert.strictEqual(absent.reason._tag, "Unavailable")
    })
  )
)

it.live("within Stripe's limits nothing is ever refused", () =>
  Effect.gen(function* () {
    const local = yield* LocalStripe.start({ seed: 1 })
    const charges = Array.from({ length: 120 }, (_, n) => pay(local.world, `order-${n}`).charge.id)
    const more = { tables: [tables.charges, tables.refunds], rates: testRates, pollEvery: "1 second" as const }
    const reader = yield* source(local, more).open
    const reads: Array<Read> = []
    local.faults.limits = { perSecond: 25, perRoutePerSecond: 25 }
    yield* reader.read({ after: Option.none(), through: Option.none() }).pipe(
      Stream.take(2),
      Stream.mapEffect(pull),
      Stream.runForEach((read) =>
        Effect.sync(() => {
          if (reads.push(read) > 1) return
          for (const charge of charges.slice(0, 60)) Result.getOrThrow(local.world.refund({ charge, amountMinor: 100 }))
        })
      )
    )
    // Each changed charge was read by id.
    assert.isAbove(local.requests.filter(({ url }) => url.startsWith("/v1/charges/")).length, 59)
    assert.strictEqual(reads[1]?.rows.length, 120)
    assert.deepStrictEqual(
      local.requests.filter(({ status }) => status === 429),
      []
    )
  }).pipe(Effect.scoped)
)

it.live("an answer that Stripe never gives is InvalidData", () =>
  Effect.gen(function* () {
    for (const answer of ["<html>", "null", "{}", '{"object":"list","data":[{"id":"ch_1"}],"has_more":false}']) {
      const port = yield* answering(answer)
      const opened = source({ host: "127.0.0.1", port, apiKey: "sk_test_x" }).open
      const error = yield* Effect.flip(Effect.andThen(opened, toHead))
      assert.strictEqual(error.reason._tag, "InvalidData", answer)
    }
  }).pipe(Effect.scoped)
)

/** A server that gives one answer to everything but the account. */
const answering = (body: string) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((request, response) =>
        response.end(request.url === "/v1/account" ? '{"id":"acct_1"}' : body)
      )
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.closeAllConnections() ?? server.close())
  ).pipe(Effect.map((server) => (server.address() as AddressInfo).port))
