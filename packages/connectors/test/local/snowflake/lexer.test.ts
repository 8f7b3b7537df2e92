import { assert, describe, it } from "@effect/vitest"
import { lex } from "../../../src/local/snowflake/sql/Lexer.ts"
import { decodeName, encodeName, identifier } from "../../../src/local/snowflake/sql/Names.ts"
import { SnowflakeError } from "../../../src/local/snowflake/Statement.ts"

const texts = (sql: string): ReadonlyArray<string> =>
  lex(sql).map((token) =>
    token.kind === "name" && token.quoted ? `"${token.text}"` : `${token.kind[0]}:${token.text}`
  )

describe("tokens", () => {
  it("names are in upper case unless they are quoted", () => {
    assert.deepStrictEqual(texts(`ab_$1 "ab" "a""b"`), ["n:AB_$1", `"ab"`, `"a"b"`])
  })

  it("backslashes and doubled quotes escape in texts, nothing between dollars", () => {
    assert.deepStrictEqual(texts(String.raw`'it''s' 'a\'b' '\\' '\n\t\u00e9\x41\101\q' $$it's \n$$`), [
      "s:it's",
      "s:a'b",
      "s:\\",
      "s:\n\téAAq",
      String.raw`s:it's \n`
    ])
  })

  it("comments are left out, also such as hold quotes", () => {
    assert.deepStrictEqual(texts("a -- it's\n/* 'b' */ c // \"d\n e"), ["n:A", "n:C", "n:E"])
  })

  it("numbers and operators are read whole", () => {
    assert.deepStrictEqual(texts("1.5e-3<=.5||a::b=>?"), [
      "n:1.5e-3",
      "s:<=",
      "n:.5",
      "s:||",
      "n:A",
      "s:::",
      "n:B",
      "s:=>",
      "s:?"
    ])
  })

  it("the path of a stage is one text, and names in the path of a VARIANT stay as written", () => {
    assert.deepStrictEqual(texts(`@db."s".stage/a-b/c=1/ x`), [
      "s:@",
      "n:DB",
      "s:.",
      `"s"`,
      "s:.",
      "n:STAGE",
      "s:/a-b/c=1/",
      "n:X"
    ])
    assert.deepStrictEqual(texts("v:ab.Cd[0].e from t.x"), [
      "n:V",
      "s::",
      `"ab"`,
      "s:.",
      `"Cd"`,
      "s:[",
      "n:0",
      "s:]",
      "s:.",
      `"e"`,
      "n:FROM",
      "n:T",
      "s:.",
      "n:X"
    ])
  })

  it("what is open at the end is a syntax error", () => {
    for (const sql of ["'a", '"a', "$$a", "/* a", '""', "a ^ b"]) {
      assert.throws(() => lex(sql), SnowflakeError)
    }
  })
})

describe("names", () => {
  it("different names have encodings that differ in any case, and each is decoded", () => {
    const letters = ["a", "A", "~", "b"]
    const names = letters.flatMap((a) =>
      letters.flatMap((b) => ["", ...letters].flatMap((c) => letters.map((d) => a + b + c + d)))
    )
    assert.deepStrictEqual(names.map(encodeName).map(decodeName), names)
    assert.strictEqual(new Set(names.map((name) => encodeName(name).toLowerCase())).size, new Set(names).size)
    assert.strictEqual(encodeName("ORDERS_2"), "ORDERS_2")
    assert.strictEqual(identifier('o"O'), `"o~""O"`)
  })
})
