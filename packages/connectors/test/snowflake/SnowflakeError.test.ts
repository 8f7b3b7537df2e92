import { assert, describe, it } from "@effect/vitest"
import { Duration, Redacted } from "effect"
import { failureOf, fromSnowflake, isGone, isUnanswered, outcomeOf } from "../../src/snowflake/SnowflakeError.ts"

const config = {
  account: "acme-prod",
  user: "LOADER",
  role: "NORTHSTAR_LOADER",
  warehouse: "LOAD_WH",
  database: "NORTHSTAR",
  privateKey: Redacted.make("-----BEGIN PRIVATE KEY-----")
}

const sql = "INSERT INTO curated.orders VALUES ('4111111111111111')"

/** Code and message as Snowflake or the driver gives them, the reason they become, and words of the answer. */
const cases: ReadonlyArray<readonly [code: string | number, message: string, reason: string, words: RegExp]> = [
  ["390144", "JWT token is invalid. [0ce9eb56]", "Unauthorized", /refused the key of user LOADER.*RSA_PUBLIC_KEY_FP/],
  ["394304", "JWT token issue time", "Unauthorized", /clock/],
  ["390100", "Incorrect username or password was specified.", "Unauthorized", /does not know user LOADER/],
  ["390101", "User access disabled. Contact your local system administrator.", "Unauthorized", /locked or disabled/],
  ["390102", "User temporarily locked. Try again later.", "Unauthorized", /locked or disabled.*ALTER USER/],
  [
    "390189",
    "Role 'X' specified in the connect string does not exist or not authorized.",
    "Unauthorized",
    /role NORTHSTAR_LOADER/
  ],
  ["390422", "Incoming request with IP/Token 1.2.3.4 is not allowed", "Unauthorized", /network policy/],
  ["390111", "Session no longer exists.", "Unavailable", /session is gone/],
  ["390112", "Session token expired", "Unavailable", /session is gone/],
  [407002, "Unable to perform operation using terminated connection.", "Unavailable", /session is gone/],
  [
    "090073",
    "Warehouse 'LOAD_WH' cannot be resumed because resource monitor 'M' has exceeded its quota.",
    "Misconfigured",
    /quota/
  ],
  ["000606", "No active warehouse selected in the current session.", "Misconfigured", /LOAD_WH.*warehouse apply/],
  ["000609", "Warehouse 'LOAD_WH' is suspended", "Misconfigured", /suspended.*AUTO_RESUME/],
  [
    "003001",
    "SQL access control error:\nInsufficient privileges to operate on schema 'CURATED'",
    "Unauthorized",
    /lacks a right/
  ],
  [
    "002003",
    "SQL compilation error:\nObject 'NORTHSTAR.CURATED.ORDERS' does not exist or not authorized.",
    "Misconfigured",
    /Object NORTHSTAR.CURATED.ORDERS.*warehouse apply/
  ],
  [
    "090105",
    "Cannot perform INSERT. This session does not have a current database.",
    "Misconfigured",
    /warehouse apply/
  ],
  [
    "091003",
    "Failure using stage area. Cause: [The bucket cannot be reached]",
    "Unavailable",
    /stage cannot be reached/
  ],
  [
    "091003",
    "Failure using stage area. Cause: [Access Denied (Status Code: 403; Error Code: AccessDenied)]",
    "Unauthorized",
    /bucket refused/
  ],
  ["091016", "Remote file 's3://b/a.parquet' was not found.", "InvalidData", /not in the stage/],
  ["100152", "Error parsing the parquet file: Invalid", "InvalidData", /not the Parquet file/],
  ["100039", "Numeric value '4111111111111111' is out of range", "InvalidData", /does not fit/],
  [
    "100090",
    "Duplicate row detected during DML action\nRow Values: [4111111111111111]",
    "InvalidData",
    /several rows for one key/
  ],
  [
    "000625",
    "Statement '01b6' has locked table 'T' in transaction 17 and this lock has not yet been released.",
    "Busy",
    /lock/
  ],
  [
    "000630",
    "Statement reached its statement or warehouse timeout of 1,800 second(s) and was canceled.",
    "Unavailable",
    /statementTimeoutSeconds/
  ],
  ["000604", "SQL execution canceled", "Unavailable", /cancelled/],
  [
    "001003",
    "SQL compilation error:\nsyntax error line 1 at position 30 unexpected ''4111111111111111''.",
    "InvalidData",
    /line 1 at position 30/
  ],
  [
    "000904",
    "SQL compilation error: error line 1 at position 7\ninvalid identifier 'AMOUNTT'",
    "Misconfigured",
    /does not have a column .*: AMOUNTT/
  ],
  ["300002", "SQL execution internal error: Processing aborted", "Unavailable", /failed inside/],
  [401001, "Network error. Could not reach Snowflake.", "Unavailable", /does not answer/],
  [404026, "Invalid private key", "Misconfigured", /accessUrl/],
  ["123456", "something about 4111111111111111", "InvalidData", /error 123456/]
]

describe("Snowflake's errors", () => {
  it("a lock of a killed program is waited for until Snowflake must have aborted its transaction", () => {
    const cause = Object.assign(new Error("this lock has not yet been released"), { code: "000625" })
    const { reason } = fromSnowflake({ config, operation: "execute", sql }, failureOf(cause))
    assert.deepStrictEqual(reason._tag === "Busy" ? reason.leavesWithin : undefined, Duration.minutes(11))
  })

  for (const [code, message, reason, words] of cases) {
    it(`${code} ${message.slice(0, 40).split("\n")[0]} is ${reason}, and shows no value`, () => {
      const error = fromSnowflake(
        { config, operation: "execute", sql },
        failureOf(Object.assign(new Error(message), { code }))
      )
      assert.strictEqual(error.reason._tag, reason)
      assert.match(error.message, words)
      assert.notInclude(JSON.stringify(error) + error.message, "4111")
      assert.notInclude(error.message, "PRIVATE KEY")
    })
  }

  it("the statement is named by its first words, and the query by its id", () => {
    const failure = failureOf({ code: "100039", message: "", data: { queryId: "01b6" } })
    assert.match(
      fromSnowflake({ config, operation: "execute", sql }, failure).detail,
      /INSERT INTO curated.orders VALUES\), query 01b6/
    )
  })

  it("an HTTP status is shown, and asks for the request again", () => {
    const failure = failureOf({ code: 401002, message: "Request failed", response: { statusCode: 503 } })
    assert.isTrue(isUnanswered(failure))
    assert.match(
      fromSnowflake({ config, operation: "open" }, failure).detail,
      /account acme-prod does not answer: HTTP status 503/
    )
  })

  it("only a lost session is gone, and what it means depends on the statement", () => {
    assert.isTrue(isGone(failureOf({ code: "390111", message: "" })))
    assert.isFalse(isGone(failureOf({ code: "100039", message: "" })))
    assert.match(outcomeOf("COMMIT", true).detail, /outcome unknown/)
    assert.match(outcomeOf(sql, true).detail, /nothing of it was committed/)
    assert.match(outcomeOf(sql, false).detail, /outcome unknown/)
    assert.notMatch(outcomeOf("SELECT 1", false).detail, /outcome unknown/)
  })
})
