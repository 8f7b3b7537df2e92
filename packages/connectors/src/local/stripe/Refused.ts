import { Result } from "effect"

/** An error as the API words it: what stands in `error` of the answer's body, and the answer's status. */
export interface Refused {
  readonly status: number
  readonly type: "invalid_request_error" | "card_error" | "idempotency_error" | "api_error"
  readonly message: string
  readonly code?: string | undefined
  readonly param?: string | undefined
  readonly decline_code?: string | undefined
  /** The charge that failed. */
  readonly charge?: string | undefined
}

/** What a verb of the world answers: the object, or why not. */
export type Answered<A> = Result.Result<A, Refused>

export const refused = (code: string, message: string, param?: string): Result.Result<never, Refused> =>
  Result.fail({ status: 400, type: "invalid_request_error", code, message, param })

/** `status` is 404 for an id in the path, 400 for one in a parameter. */
export const missing = (kind: string, id: string, param: string, status: 400 | 404): Result.Result<never, Refused> => {
  const message = `No such ${kind}: '${id}'`
  return Result.fail({ status, type: "invalid_request_error", code: "resource_missing", message, param })
}
