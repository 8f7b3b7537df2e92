import { assert, it } from "@effect/vitest"
import { fromDriver } from "../../src/postgres/Failure.ts"

it("a connection that breaks while it is written to may be retried", () => {
  const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE" })
  assert.isTrue(fromDriver("replicate", broken).isRetryable)
})
