import { SnowflakeError } from "../Statement.ts"

/** Session parameters that may be set, with their defaults. */
const defaults: ReadonlyMap<string, string> = new Map([
  ["ABORT_DETACHED_QUERY", "FALSE"],
  ["AUTOCOMMIT", "TRUE"],
  ["BINARY_OUTPUT_FORMAT", "HEX"],
  ["CLIENT_RESULT_CHUNK_SIZE", "160"],
  ["CLIENT_SESSION_KEEP_ALIVE", "FALSE"],
  ["CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "3600"],
  ["DATE_OUTPUT_FORMAT", "YYYY-MM-DD"],
  ["ERROR_ON_NONDETERMINISTIC_MERGE", "TRUE"],
  ["ERROR_ON_NONDETERMINISTIC_UPDATE", "FALSE"],
  ["GCS_USE_DOWNSCOPED_CREDENTIAL", "FALSE"],
  ["JS_TREAT_INTEGER_AS_BIGINT", "FALSE"],
  ["LOCK_TIMEOUT", "43200"],
  ["MULTI_STATEMENT_COUNT", "1"],
  ["QUERY_TAG", ""],
  ["QUOTED_IDENTIFIERS_IGNORE_CASE", "FALSE"],
  ["STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "0"],
  ["STATEMENT_TIMEOUT_IN_SECONDS", "172800"],
  ["STRICT_JSON_OUTPUT", "FALSE"],
  ["TIMESTAMP_DAY_IS_ALWAYS_24H", "FALSE"],
  ["TIMESTAMP_LTZ_OUTPUT_FORMAT", ""],
  ["TIMESTAMP_NTZ_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF3"],
  ["TIMESTAMP_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"],
  ["TIMESTAMP_TYPE_MAPPING", "TIMESTAMP_NTZ"],
  ["TIMESTAMP_TZ_OUTPUT_FORMAT", ""],
  ["TIMEZONE", "America/Los_Angeles"],
  ["TIME_OUTPUT_FORMAT", "HH24:MI:SS"],
  ["TRANSACTION_ABORT_ON_ERROR", "FALSE"],
  ["USE_CACHED_RESULT", "TRUE"],
  ["WEEK_OF_YEAR_POLICY", "0"],
  ["WEEK_START", "0"]
])

/** Parameters whose other values mean something that the local server does not play. */
const fixed: ReadonlySet<string> = new Set([
  "AUTOCOMMIT",
  "ERROR_ON_NONDETERMINISTIC_MERGE",
  "ERROR_ON_NONDETERMINISTIC_UPDATE",
  "MULTI_STATEMENT_COUNT",
  "QUOTED_IDENTIFIERS_IGNORE_CASE",
  "TIMESTAMP_DAY_IS_ALWAYS_24H",
  "TIMESTAMP_TYPE_MAPPING",
  "TRANSACTION_ABORT_ON_ERROR",
  "WEEK_OF_YEAR_POLICY",
  "WEEK_START"
])

/** The value of a parameter in a session. */
export const parameter = (parameters: ReadonlyMap<string, string>, name: string): string =>
  parameters.get(name) ?? defaults.get(name) ?? ""

/** Refuses a parameter that is unknown or has a value that is not played. */
export const checkParameter = (name: string, value: string): void => {
  if (!defaults.has(name)) {
    throw new SnowflakeError("000005", "22023", `invalid parameter '${name}'`)
  }
  if (fixed.has(name) && value.toUpperCase() !== defaults.get(name)) {
    throw new SnowflakeError("000002", "0A000", `Unsupported feature '${name} = ${value}'.`)
  }
}

const booleans = /^(TRUE|FALSE)$/i

/** What login tells the driver: it formats results by these and keeps them for all its connections. */
export const clientParameters = (
  parameters: ReadonlyMap<string, string>
): ReadonlyArray<{ readonly name: string; readonly value: string | number | boolean }> =>
  [
    ...[...defaults.keys()].map((name) => [name, parameter(parameters, name)] as const),
    ["CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "65280"] as const,
    ["QUERY_CONTEXT_CACHE_SIZE", "5"] as const,
    ["SERVICE_NAME", ""] as const
  ].map(([name, value]) => ({
    name,
    value: booleans.test(value) ? value.toUpperCase() === "TRUE" : /^\d+$/.test(value) ? Number(value) : value
  }))
