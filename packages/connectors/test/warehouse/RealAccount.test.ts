import { assert, it } from "@effect/vitest"
import { describe } from "./RealAccount.ts"

const whole = {
  NORTHSTAR_SNOWFLAKE_ACCOUNT: "org-account",
  NORTHSTAR_SNOWFLAKE_USER: "tester",
  NORTHSTAR_SNOWFLAKE_PRIVATE_KEY_FILE: "key.p8",
  NORTHSTAR_SNOWFLAKE_ROLE: "tester",
  NORTHSTAR_SNOWFLAKE_WAREHOUSE: "tester",
  NORTHSTAR_SNOWFLAKE_DATABASE: "northstar_test",
  NORTHSTAR_SNOWFLAKE_STAGE_URL: "s3://northstar-test/",
  AWS_REGION: "eu-west-1"
}

it("an account is tested on when the environment describes it whole, and only in a database that says TEST", () => {
  const account = describe({ ...whole, NORTHSTAR_SNOWFLAKE_STORAGE_INTEGRATION: "lake" })
  assert.isObject(account)
  if (typeof account === "string") return
  assert.deepStrictEqual([account.bucket, account.config.database], ["northstar-test", "NORTHSTAR_TEST"])
  assert.include(account.reset.at(-1), "URL = 's3://northstar-test/' STORAGE_INTEGRATION = lake")
  for (const statement of account.reset) assert.include(statement, " NORTHSTAR_TEST.")
})

it("what is missing or dangerous is the reason to skip", () => {
  const { NORTHSTAR_SNOWFLAKE_ROLE: _, ...roleless } = whole
  const cases: ReadonlyArray<readonly [env: NodeJS.ProcessEnv, reason: string]> = [
    [roleless, "NORTHSTAR_SNOWFLAKE_ROLE is not set"],
    [{ ...whole, NORTHSTAR_SNOWFLAKE_DATABASE: "NORTHSTAR" }, "does not contain TEST"],
    [{ ...whole, NORTHSTAR_SNOWFLAKE_STAGE_URL: "s3://lake/prefix/" }, "not a whole bucket"],
    [{ ...whole, AWS_REGION: "" }, "AWS_REGION is not set"]
  ]
  for (const [env, reason] of cases) assert.include(describe(env), reason)
})
