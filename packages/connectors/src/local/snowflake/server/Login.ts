import { type KeyObject, randomUUID, verify } from "node:crypto"
import { SnowflakeError } from "../Statement.ts"

/** Why a login was refused, in the words of Snowflake's LOGIN_HISTORY; the client is only told that the token is invalid. */
export type LoginFailure =
  | "JWT_TOKEN_INVALID"
  | "JWT_TOKEN_INVALID_ALGORITHM"
  | "JWT_TOKEN_INVALID_USER_IN_ISSUER"
  | "JWT_TOKEN_INVALID_USER_IN_SUBJECT"
  | "JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH"
  | "JWT_TOKEN_INVALID_SIGNATURE"
  | "JWT_TOKEN_INVALID_ISSUE_TIME"

/** What a token is checked against. Names are in upper case. */
export interface Expected {
  readonly account: string
  readonly user: string
  /** The user's public key with a fingerprint, if there is such a user and key. */
  readonly publicKey: (fingerprint: string) => KeyObject | undefined
  readonly nowMs: number
}

/** A token may be this old at most, and its clock this far from ours. */
const validMsMax = 3_600_000
const clockSkewMs = 60_000

/** What is wrong with a key-pair token, if anything. Times are seconds or, as the Node driver sends them, milliseconds. */
export const failureOf = (token: string, expected: Expected): LoginFailure | undefined => {
  const parts = parse(token)
  if (parts === undefined) return "JWT_TOKEN_INVALID"
  const { header, payload, signed, signature } = parts
  if (header["alg"] !== "RS256") return "JWT_TOKEN_INVALID_ALGORITHM"
  const subject = `${expected.account}.${expected.user}`
  const issuer = String(payload["iss"])
  if (!issuer.startsWith(`${subject}.`)) return "JWT_TOKEN_INVALID_USER_IN_ISSUER"
  if (payload["sub"] !== subject) return "JWT_TOKEN_INVALID_USER_IN_SUBJECT"
  const key = expected.publicKey(issuer.slice(subject.length + 1))
  if (key === undefined) return "JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH"
  if (!verify("RSA-SHA256", Buffer.from(signed), key, signature)) return "JWT_TOKEN_INVALID_SIGNATURE"
  const issued = milliseconds(payload["iat"])
  const expires = Math.min(milliseconds(payload["exp"]), issued + validMsMax)
  const valid = issued <= expected.nowMs + clockSkewMs && expected.nowMs < expires
  return valid ? undefined : "JWT_TOKEN_INVALID_ISSUE_TIME"
}

/** The error that a client sees whatever is wrong with its token. */
export const refused = (): SnowflakeError =>
  new SnowflakeError("390144", "08001", `JWT token is invalid. [${randomUUID()}]`)

const parse = (token: string) => {
  const [header, payload, signature] = token.split(".")
  const first = object(header)
  const second = object(payload)
  if (first === undefined || second === undefined || signature === undefined) return undefined
  return {
    header: first,
    payload: second,
    signed: `${header}.${payload}`,
    signature: Buffer.from(signature, "base64url")
  }
}

const object = (part = ""): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString())
    return typeof value === "object" && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** No second before the year 5138 looks like a millisecond of after 1973. */
const milliseconds = (time: unknown): number => (Number(time) < 1e11 ? Number(time) * 1000 : Number(time))
