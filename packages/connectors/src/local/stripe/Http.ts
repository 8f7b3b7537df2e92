import { Result } from "effect"
import type { Refusal } from "./Faults.ts"
import * as Form from "./Form.ts"
import * as Lists from "./Lists.ts"
import { apiVersion } from "./Objects.ts"
import type { Refused } from "./Refused.ts"
import { type Call, run } from "./Routes.ts"
import type { World } from "./World.ts"

/** A request as it came; header names in lower case. */
export interface Request {
  readonly method: string
  /** With the query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A request that was answered, cut ones with status 0. */
export interface Logged {
  readonly method: string
  readonly url: string
  readonly status: number
  /** By the server's clock, Unix milliseconds. */
  readonly atMs: number
}

const loggedMax = 100_000

/** Idempotency keys that are remembered; Stripe keeps them for a day. */
const keysMax = 10_000

interface Executed {
  /** Of the parameters. */
  readonly fingerprint: string
  readonly answer: Answer
}

/** The API in front of a world: authentication, limits, faults and idempotency around the routes. */
export class Http {
  /** The last requests, oldest first, at most 100,000. */
  readonly log: Array<Logged> = []
  readonly #world: World
  readonly #apiKey: string
  readonly #now: () => number
  readonly #answers = new Map<string, Executed>()
  readonly #counts = new Map<string, number>()
  #countedSecond = 0
  #requests = 0

  constructor(world: World, apiKey: string, now: () => number) {
    this.#world = world
    this.#apiKey = apiKey
    this.#now = now
  }

  /** `undefined` cuts the connection. */
  answer(request: Request): Answer | undefined {
    const answer = this.#guarded(request)
    if (this.log.length >= loggedMax) this.log.splice(0, loggedMax / 2)
    this.log.push({ method: request.method, url: request.url, status: answer?.status ?? 0, atMs: this.#now() })
    return answer
  }

  #guarded(request: Request): Answer | undefined {
    this.#world.tick()
    this.#requests += 1
    const [path = "", query = ""] = request.url.split("?")
    const given = request.headers["authorization"]
    if (given !== `Bearer ${this.#apiKey}`) return this.#error(401, unauthorised(given))
    const refusal = this.#overLimit(path) ?? this.#world.faults.next(path)
    if (refusal === "cutBefore") return undefined
    if (refusal !== undefined && refusal !== "cutAfter") return this.#refuse(refusal)
    const form = Form.decode(request.method === "GET" ? query : request.body)
    const call = { method: request.method, path, form, version: request.headers["stripe-version"] ?? "" }
    const answer = this.#once(request, call)
    return refusal === "cutAfter" ? undefined : answer
  }

  /** Executes a POST at most once per key; a replayed answer is the first one, errors included. */
  #once(request: Request, call: Call): Answer {
    const key = request.headers["idempotency-key"]
    if (call.method !== "POST" || key === undefined) return this.#execute(call, null)
    const fingerprint = `${call.path}?${request.body}`
    const known = this.#answers.get(key)
    if (known === undefined) {
      const answer = this.#execute(call, key)
      // As with Stripe: what was refused before anything was done may be tried again with the key.
      if (answer.status !== 400 && answer.status !== 404) this.#remember(key, { fingerprint, answer })
      return answer
    }
    if (known.fingerprint === fingerprint) {
      return { ...known.answer, headers: { ...known.answer.headers, "idempotent-replayed": "true" } }
    }
    const message = `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}'.`
    return this.#error(400, { type: "idempotency_error", message })
  }

  #remember(key: string, executed: Executed): void {
    this.#answers.set(key, executed)
    const [oldest = ""] = this.#answers.keys()
    if (this.#answers.size > keysMax) this.#answers.delete(oldest)
  }

  #execute(call: Call, key: string | null): Answer {
    const { state, faults } = this.#world
    state.cause = { id: this.#requestId, idempotency_key: key }
    const outcome = run(this.#world, call)
    state.cause = null
    if (Result.isFailure(outcome)) {
      const { status, ...error } = outcome.failure
      return this.#error(status, error)
    }
    const object = outcome.success
    const answer = { status: 200, headers: this.#headers, body: JSON.stringify(object) }
    const kind = Lists.kinds[call.path.slice("/v1/".length)]
    if (call.method === "GET" && kind !== undefined && faults.afterPage !== undefined && isList(object)) {
      faults.afterPage({ kind, ids: object.data.map(({ id }) => id), hasMore: object.has_more })
    }
    return answer
  }

  #overLimit(path: string): Refusal | undefined {
    const { limits } = this.#world.faults
    if (limits === undefined) return undefined
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#countedSecond) this.#counts.clear()
    this.#countedSecond = second
    const route = path.split("/")[2] ?? ""
    const counted = [["", limits.perSecond] as const, [route, limits.perRoutePerSecond] as const].map(([name, max]) => {
      const count = (this.#counts.get(name) ?? 0) + 1
      this.#counts.set(name, count)
      return count > max
    })
    return counted.includes(true) ? "rateLimited" : undefined
  }

  #refuse(refusal: Exclude<Refusal, "cutBefore" | "cutAfter">): Answer {
    const { status, headers, ...error } = refusals[refusal]
    return this.#error(status, error, headers)
  }

  #error(status: number, error: Omit<Refused, "status">, headers?: Readonly<Record<string, string>>): Answer {
    return { status, headers: { ...this.#headers, ...headers }, body: JSON.stringify({ error }) }
  }

  get #requestId(): string {
    return `req_${String(this.#requests).padStart(14, "0")}`
  }

  get #headers(): Readonly<Record<string, string>> {
    return {
      "content-type": "application/json",
      "request-id": this.#requestId,
      "stripe-version": apiVersion
    }
  }
}

const isList = (
  object: object
): object is { readonly data: ReadonlyArray<{ readonly id: string }>; readonly has_more: boolean } =>
  "object" in object && object.object === "list"

const unauthorised = (given: string | undefined): Omit<Refused, "status"> => ({
  type: "invalid_request_error",
  message:
    given === undefined
      ? "You did not provide an API key. You need to provide your API key in the Authorization header."
      : "Invalid API Key provided: ********"
})

const refusals: Readonly<
  Record<Exclude<Refusal, "cutBefore" | "cutAfter">, Refused & { readonly headers?: Readonly<Record<string, string>> }>
> = {
  rateLimited: {
    status: 429,
    type: "invalid_request_error",
    code: "rate_limit",
    message: "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
    headers: { "stripe-rate-limited-reason": "global-rate" }
  },
  locked: {
    status: 429,
    type: "invalid_request_error",
    code: "lock_timeout",
    message: "This object cannot be accessed right now because another API request is currently accessing it.",
    headers: { "stripe-rate-limited-reason": "resource-specific", "stripe-should-retry": "true" }
  },
  conflict: {
    status: 409,
    type: "idempotency_error",
    code: "idempotency_key_in_use",
    message: "There is currently another in-progress request using this Idempotent Key."
  },
  forbidden: {
    status: 403,
    type: "invalid_request_error",
    message: "The provided key does not have the required permissions for this endpoint."
  },
  missing: {
    status: 404,
    type: "invalid_request_error",
    code: "resource_missing",
    message: "No such object."
  },
  broken: { status: 500, type: "api_error", message: "An unknown error occurred" },
  unavailable: { status: 503, type: "api_error", message: "Service temporarily unavailable" }
}
