import { Duration, Predicate } from "effect"
import {
  ConnectorError,
  InvalidData,
  Misconfigured,
  RateLimited,
  StorageFull,
  Unauthorized,
  Unavailable
} from "@northstar/core/ConnectorError"

/** The HTTP status of the AWS SDK's error, if the server answered. */
export const statusOf = (cause: unknown): number | undefined => {
  if (!Predicate.hasProperty(cause, "$metadata")) return undefined
  const metadata = cause.$metadata
  return Predicate.hasProperty(metadata, "httpStatusCode") && typeof metadata.httpStatusCode === "number"
    ? metadata.httpStatusCode
    : undefined
}

/** The object's bytes are not those of its commit record. */
export const damaged = (bucket: string, key: string): ConnectorError => {
  const detail = `${key} in bucket ${bucket} is damaged: its bytes do not have the checksum of its commit record`
  return new ConnectorError({
    connector: "s3",
    operation: `read ${key}`,
    detail,
    action: "Restore an older version of the object, or capture its range again",
    reason: new InvalidData({ detail })
  })
}

/** An error of the AWS SDK, or of the spool folder, as what to do about it. */
export const from = (bucket: string, operation: string, cause: unknown): ConnectorError => {
  const name = nameOf(cause)
  const detail = `bucket ${bucket}: ${name}`
  const error = (reason: ConnectorError["reason"], action: string) =>
    new ConnectorError({ connector: "s3", operation, detail, action, reason })
  if (absent.has(name)) {
    return error(
      new InvalidData({ detail: `${detail} (${operation})` }),
      "Restore an older version of the object, or capture its range again"
    )
  }
  if (misconfigured.has(name)) {
    return error(
      new Misconfigured({ detail }),
      "Create the bucket, or correct its name, region and endpoint in the configuration"
    )
  }
  if (unauthorized.has(name) || statusOf(cause) === 401 || statusOf(cause) === 403) {
    return error(
      new Unauthorized({ cause }),
      "Check the access key, and that the role may get, put, delete and list objects of this bucket"
    )
  }
  if (slowDown.has(name)) {
    return error(new RateLimited({ retryAfter: Duration.seconds(1) }), "It is tried again; nothing was lost")
  }
  if (name === "ENOSPC" || name === "EDQUOT") {
    return error(new StorageFull({ cause }), "Free space on the spool folder's disk and run again; nothing was lost")
  }
  return error(
    new Unavailable({ cause }),
    "Check that the bucket's endpoint can be reached and run again; nothing was lost"
  )
}

const absent = new Set(["NoSuchKey", "NotFound"])
const misconfigured = new Set([
  "NoSuchBucket",
  "InvalidBucketName",
  "PermanentRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
  "NotImplemented"
])
const unauthorized = new Set([
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "ExpiredToken",
  "InvalidToken",
  "RequestTimeTooSkewed",
  "CredentialsProviderError"
])
const slowDown = new Set([
  "SlowDown",
  "TooManyRequests",
  "TooManyRequestsException",
  "ThrottlingException",
  "Throttling"
])

/** The error's own name or code; never its message, which may hold parts of a request. */
const nameOf = (cause: unknown): string => {
  if (Predicate.hasProperty(cause, "code") && typeof cause.code === "string") return cause.code
  return cause instanceof Error ? cause.name : "unexpected error"
}
