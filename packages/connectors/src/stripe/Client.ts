import { createHash } from "node:crypto"
import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import { Duration, Effect, Predicate, Redacted, Schedule, Schema } from "effect"
import { ConnectorError } from "@northstar/core/ConnectorError"
import type { Stripe } from "stripe"
import { type Asked, fromDriver, malformed, misconfigured, type Missing } from "./Failure.ts"
import { type Lane, liveRates, type Rates, type RateLimiter, shared, testRates } from "./RateLimiter.ts"
import type { PageRequest, Resource } from "./Resource.ts"

/** The version of Stripe's API whose objects are captured: the one that the package's types describe. */
export const apiVersion: Stripe.LatestApiVersion = "2026-10-28.endive"

/** How to reach Stripe. */
export interface ClientOptions {
  /** A secret key, or better a restricted one that may only read. */
  readonly apiKey: Redacted.Redacted
  /** By default Stripe's limits for the mode that the key says it is of. */
  readonly rates?: Rates
  /** Of another server than Stripe's, such as the local one. */
  readonly server?: { readonly host: string; readonly port: number; readonly protocol: "http" | "https" }
}

/** An object as Stripe sent it. */
export type StripeObject = Readonly<Record<string, unknown>> & { readonly id: string; readonly created: number }

/** One page of a list, newest first. */
export interface Page {
  readonly data: ReadonlyArray<StripeObject>
  readonly has_more: boolean
}

/** Stripe's API within the account's limits. Requests that were refused or got lost are tried again a few times. */
export interface Client {
  /** A page of a resource's objects; `Missing` when the object to start after is gone. */
  readonly list: (
    table: string,
    of: Resource,
    page: PageRequest,
    lane: Lane
  ) => Effect.Effect<Page, ConnectorError | Missing>
  /** A page of the events that hint at changes of a resource. */
  readonly events: (table: string, of: Resource, page: PageRequest) => Effect.Effect<Page, ConnectorError | Missing>
  /**
   * The object as it is now; `undefined` when Stripe says that it is deleted. `Missing` says nothing about the object: a key of
   * another account or mode gets the same answer.
   */
  readonly retrieve: (
    table: string,
    of: Resource,
    id: string
  ) => Effect.Effect<StripeObject | undefined, ConnectorError | Missing>
  /** Whether the key is of live mode. */
  readonly isLive: boolean
  /** The id of the key's account; `Unauthorized` where the key may not read it. */
  readonly account: Effect.Effect<string, ConnectorError>
}

/** What a restricted key lacks that may not tell its account, and what stands in for it. */
const accountPermission = `Accounts: Read (rak_accounts_kyc_basic_read), or name its account: Project.stripe({ account: "acct_…" })`

/** Retries of the package after lost connections, conflicts and errors of the server. */
const networkRetriesMax = 3
const timeoutMs = 30_000
/** Attempts after a 429, which the package does not retry: about 15 s in all. */
const refusedRetriesMax = 6
const refusedDelay = Duration.millis(250)

/** Opens a client until the scope closes. The package is loaded here, so that projects without Stripe never load it. */
export const make = Effect.fn("StripeClient.make")(function* (options: ClientOptions) {
  const { host, port, protocol } = options.server ?? { host: "api.stripe.com", port: 443, protocol: "https" }
  const key = Redacted.value(options.apiKey)
  const isLive = key.includes("_live_")
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => (protocol === "http" ? new HttpAgent({ keepAlive: true }) : new HttpsAgent({ keepAlive: true }))),
    (agent) => Effect.sync(() => agent.destroy())
  )
  const { Stripe } = yield* Effect.promise(() => import("stripe"))
  const stripe = yield* Effect.try({
    try: () =>
      new Stripe(key, {
        apiVersion,
        host,
        port,
        protocol,
        httpAgent: agent,
        maxNetworkRetries: networkRetriesMax,
        timeout: timeoutMs,
        telemetry: false
      }),
    catch: () => misconfigured("open", "the API key is empty", "Set the environment variable that it is read from")
  })
  const account = createHash("sha256").update(`${host}:${port}:${key}`).digest("hex")
  return of(stripe, shared(account, options.rates ?? (isLive ? liveRates : testRates)), isLive)
})

const of = (stripe: Stripe, limiter: RateLimiter, isLive: boolean): Client => {
  const call = caller(limiter)
  return {
    isLive,
    list: (table, resource, page, lane) =>
      call(
        { operation: `list ${table}`, permission: resource.permission },
        { endpoint: table, lane },
        () => resource.list(stripe, page),
        asPage
      ),
    events: (table, resource, page) =>
      call(
        { operation: `list events of ${table}`, permission: "Events: Read (rak_event_read)" },
        { endpoint: "events", lane: "live" },
        () => stripe.events.list({ ...page, types: [...resource.events] }),
        asPage
      ),
    retrieve: (table, resource, id) =>
      call(
        { operation: `read one of ${table}`, permission: resource.permission },
        { endpoint: `${table}/id`, lane: "live" },
        () => resource.retrieve(stripe, id),
        asObject
      ),
    account: call(
      { operation: "read the account", permission: accountPermission },
      { endpoint: "account", lane: "live" },
      () => stripe.accounts.retrieveCurrent(),
      (answer) => (isAccount(answer) ? { is: answer.id } : "an account without id")
    ).pipe(
      Effect.catchTag("Missing", () =>
        Effect.fail(misconfigured("read the account", "the server knows no account", "Check the endpoint's host."))
      )
    )
  }
}

/**
 * Sends requests when the limiter lets them go. A 429 holds back everybody on the account, then the request is tried
 * again. `read` gives what the answer says, or in words what is wrong with it.
 */
const caller =
  (limiter: RateLimiter) =>
  <A>(
    asked: Asked,
    way: { readonly endpoint: string; readonly lane: Lane },
    send: () => Promise<unknown>,
    read: (answer: unknown) => { readonly is: A } | string
  ): Effect.Effect<A, ConnectorError | Missing> =>
    limiter.take(way.endpoint, way.lane).pipe(
      Effect.andThen(Effect.tryPromise({ try: send, catch: (thrown) => fromDriver(asked, thrown) })),
      Effect.tapError((error) => (isRefused(error) ? limiter.pause(refusedDelay) : Effect.void)),
      Effect.retry({ while: isRefused, times: refusedRetriesMax, schedule: refusedSchedule }),
      Effect.flatMap((answer) => {
        const found = read(answer)
        return typeof found === "string" ? Effect.fail(malformed(asked.operation, found)) : Effect.succeed(found.is)
      })
    )

const refusedSchedule = Schedule.jittered(Schedule.exponential(refusedDelay))

const isRefused = (error: ConnectorError | Missing): boolean =>
  error instanceof ConnectorError && error.reason._tag === "RateLimited"

const Item = Schema.Struct({ id: Schema.NonEmptyString, created: Schema.Int })
const isItem = Schema.is(Item)
const isPage = Schema.is(Schema.Struct({ data: Schema.Array(Item), has_more: Schema.Boolean }))
const isAccount = Schema.is(Schema.Struct({ id: Schema.NonEmptyString }))

const asPage = (answer: unknown): { readonly is: Page } | string =>
  // Sound: checked to be objects with these fields; all others are read by path and taken as they come.
  isPage(answer) ? { is: answer } : "a list without data and has_more"

/** A deleted object is told as one that is gone. */
const asObject = (answer: unknown) => {
  if (Predicate.hasProperty(answer, "deleted") && answer.deleted === true) return { is: undefined }
  return isItem(answer) ? { is: answer as StripeObject } : "an object without id and created"
}
