import { assert, describe, it } from "@effect/vitest"
import * as Check from "@northstar/core/Check"
import { atLeast, everyRow } from "@northstar/core/Expectation"
import { ExpectationLaws } from "@northstar/core/testing"
import { Arbitrary, Schema } from "effect"

const version = { epoch: 1, position: 1n, ordinal: 0, revision: 1 }

const rows = Arbitrary.schema(Schema.Int).pipe(
  Arbitrary.map((amount): Check.LocatedRow => ({
    table: "parcels",
    version: { ...version, ordinal: amount },
    values: { amount: amount % 7 === 0 ? null : `${amount}` }
  }))
)
const even = everyRow<Check.LocatedRow>({
  name: "even",
  holds: ({ values }) => Number(values["amount"]) % 2 === 0,
  locate: ({ table, version }) => ({ table, version })
})

for (const expectation of [even, atLeast({ name: "seven_rows", rowsMin: 7 })]) {
  for (const law of ExpectationLaws.laws({ expectation, rows })) it.effect(law.name, () => law.check)
}
for (const check of [
  Check.notNull("amount"),
  Check.between("amount", { min: "0" }),
  Check.oneOf("amount", ["1", "2"])
]) {
  for (const law of ExpectationLaws.laws({ expectation: Check.expectation(check), rows })) {
    it.effect(law.name, () => law.check)
  }
}

describe("checks", () => {
  const cases: ReadonlyArray<readonly [check: Check.Check, value: string | null, holds: boolean]> = [
    [Check.notNull("x"), null, false],
    [Check.notNull("x"), "", true],
    [Check.oneOf("x", ["a", "b"]), "b", true],
    [Check.oneOf("x", ["a", "b"]), "B", false],
    [Check.oneOf("x", ["a", "b"]), null, true],
    [Check.between("x", { min: "0", max: "10" }), null, true],
    [Check.between("x", { min: "0", max: "10" }), "0", true],
    [Check.between("x", { min: "0", max: "10" }), "10.00", true],
    [Check.between("x", { min: "0", max: "10" }), "10.000000000000000000001", false],
    [Check.between("x", { min: "0", max: "10" }), "-0.000000000000000000001", false],
    [Check.between("x", { min: "0" }), "-0", true],
    [Check.between("x", { min: "0.3" }), "0.30000000000000000001", true],
    [Check.between("x", { max: "9007199254740992" }), "9007199254740993", false],
    [Check.between("x", { min: "-5.5", max: "-1" }), "-5.51", false],
    [Check.between("x", { min: "-5.5", max: "-1" }), "-1.0", true],
    [Check.between("x", { max: "1" }), "1e-7", true],
    [Check.between("x", { max: "1000" }), "1.5e+10", false],
    [Check.between("x", { min: "0" }), "Infinity", true],
    [Check.between("x", { max: "0" }), "-Infinity", true],
    [Check.between("x", { max: "0" }), "NaN", false],
    [Check.between("x", { min: "0" }), "", false],
    [Check.between("x", { min: "0" }), "twelve", false],
    [Check.between("x", {}), "twelve", false]
  ]
  for (const [check, value, holds] of cases) {
    const { min, max } = check._tag === "Between" ? check : { min: undefined, max: undefined }
    const bounds = check._tag === "Between" ? ` ${min ?? ""}…${max ?? ""}` : ""
    it(`${check._tag}${bounds} ${holds ? "holds for" : "is broken by"} ${JSON.stringify(value)}`, () => {
      assert.strictEqual(Check.holds(check, { x: value }), holds)
    })
  }

  it("a column that is absent counts as NULL", () => {
    assert.isFalse(Check.holds(Check.notNull("x"), {}))
  })

  it("a check that quarantines or blocks fails a read in memory, one that warns does not", () => {
    assert.strictEqual(Check.expectation(Check.notNull("x", "warn")).severity, "warn")
    assert.strictEqual(Check.expectation(Check.notNull("x", "quarantine")).severity, "fail")
    assert.strictEqual(Check.expectation(Check.notNull("x", "block")).severity, "fail")
  })
})
