import { aggregateFunctions } from "./AggregateFunctions.ts"
import { conditionFunctions } from "./ConditionFunctions.ts"
import type { Construct, Constructs, Golden } from "./Construct.ts"
import { jsonFunctions } from "./JsonFunctions.ts"
import { numberFunctions } from "./NumberFunctions.ts"
import { sessionFunctions } from "./SessionFunctions.ts"
import { SnowflakeError } from "../Statement.ts"
import { textFunctions } from "./TextFunctions.ts"
import { timeFunctions } from "./TimeFunctions.ts"

/** Every function that the local Snowflake knows. Anything else is refused: a wrong answer would pass for Snowflake's. */
export const functions: Constructs = {
  ...aggregateFunctions,
  ...conditionFunctions,
  ...jsonFunctions,
  ...numberFunctions,
  ...sessionFunctions,
  ...textFunctions,
  ...timeFunctions
}

/** The function of a name with so many arguments. */
export const lookUp = (name: string, count: number): Construct => {
  const found = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (found === undefined) {
    throw new SnowflakeError("002140", "42601", `SQL compilation error:\nUnknown function ${name}`)
  }
  const [least, most] = found.arity
  if (count < least || count > most) {
    throw new SnowflakeError(
      "000938",
      "22023",
      `SQL compilation error:\ntoo ${count < least ? "few" : "many"} arguments for function [${name}] expected ${count < least ? least : most}, got ${count}`
    )
  }
  return found
}

/** Operators and casts that the parser renders, with what Snowflake documents of them. */
export const operators: Readonly<Record<string, { readonly doc: string; readonly golden: ReadonlyArray<Golden> }>> = {
  "||": {
    doc: "Concatenation; NULL if either side is.",
    golden: [
      ["'a' || 'b'", "ab"],
      ["'a' || NULL", null]
    ]
  },
  "+ - *": {
    doc: "Exact on NUMBER; more than 38 digits are an error.",
    golden: [
      ["1.5 + 1", "2.5"],
      ["2 * 3 - 1", "5"],
      ["9223372036854775807::NUMBER(38,0) * 10000000000", "92233720368547758070000000000"]
    ]
  },
  "%": {
    doc: "The remainder, with the sign of the dividend.",
    golden: [
      ["7 % 4", "3"],
      ["-7 % 4", "-3"]
    ]
  },
  "= <> < <= > >=": {
    doc: "NULL if either side is; texts compare by code points, case-sensitive.",
    golden: [
      ["'a' = 'A'", "false"],
      ["'Z' < 'a'", "true"],
      ["1 <> NULL", null],
      ["'a' != 'b'", "true"]
    ]
  },
  "AND OR NOT": {
    doc: "Three-valued; NOT binds tighter than AND, AND tighter than OR.",
    golden: [
      ["TRUE OR NULL", "true"],
      ["FALSE AND NULL", "false"],
      ["NOT NULL", null],
      ["NOT FALSE AND FALSE", "false"],
      ["TRUE OR TRUE AND FALSE", "true"]
    ]
  },
  "IS [NOT] NULL": {
    doc: "Never NULL itself.",
    golden: [
      ["NULL IS NULL", "true"],
      ["1 IS NOT NULL", "true"]
    ]
  },
  "IS [NOT] DISTINCT FROM": {
    doc: "Comparison for which NULL equals NULL.",
    golden: [
      ["NULL IS NOT DISTINCT FROM NULL", "true"],
      ["1 IS DISTINCT FROM NULL", "true"]
    ]
  },
  "[NOT] IN": {
    doc: "NULL if no element is equal and one is NULL. Rows compare column by column.",
    golden: [
      ["1 IN (2, 1)", "true"],
      ["1 IN (2, NULL)", null],
      ["(1, 'a') IN ((1, 'b'), (1, 'a'))", "true"],
      ["(NULL, 'a') IN ((NULL, 'a'))", null],
      ["1 NOT IN (2)", "true"],
      ["(1, 'a') IN (SELECT 1, 'a')", "true"]
    ]
  },
  "[NOT] BETWEEN": {
    doc: "Both bounds included.",
    golden: [
      ["2 BETWEEN 1 AND 2", "true"],
      ["2 NOT BETWEEN 1 AND 2", "false"]
    ]
  },
  "[NOT] LIKE": {
    doc: "% any text, _ one character, case-sensitive, the whole text; no escape character unless named.",
    golden: [
      ["'abc' LIKE 'a%'", "true"],
      ["'abc' LIKE 'B%'", "false"],
      ["'a_c' LIKE 'a^_c' ESCAPE '^'", "true"],
      ["'abc' NOT LIKE 'a_'", "true"]
    ]
  },
  CASE: {
    doc: "The first branch whose condition is true; NULL without one and without ELSE.",
    golden: [
      ["CASE WHEN NULL THEN 1 ELSE 2 END", "2"],
      ["CASE 1 WHEN 2 THEN 'a' END", null]
    ]
  },
  "CAST ::": {
    doc: "An error for a value that does not fit; digits beyond a scale are rounded half away from zero.",
    golden: [
      ["CAST('1.5' AS NUMBER)", "2"],
      ["'-1.5'::INT", "-2"],
      ["1.005::NUMBER(10,2)", "1.01"],
      ["'2024-02-29'::DATE::VARCHAR", "2024-02-29"],
      ["TRUE::VARCHAR", "true"],
      ["5::NUMBER(12,2)::VARCHAR", "5.00"],
      ["'x'::VARIANT::VARCHAR", "x"]
    ]
  },
  TRY_CAST: {
    doc: "As CAST of a text, NULL instead of an error.",
    golden: [
      ["TRY_CAST('x' AS NUMBER(5,0))", null],
      ["TRY_CAST('12' AS NUMBER(5,0))", "12"]
    ]
  },
  "value:path": {
    doc: "The element of a VARIANT by names and indexes, as VARIANT; NULL where there is none.",
    golden: [
      ['PARSE_JSON(\'{"a": {"b": ["x"]}}\'):a.b[0]::VARCHAR', "x"],
      ["PARSE_JSON('{\"a\": 1}'):A::VARCHAR", null],
      ['PARSE_JSON(\'{"a b": 1}\'):"a b"::INT', "1"]
    ]
  },
  "'text' $$text$$": {
    doc: "Backslash escapes between single quotes, none between dollars.",
    golden: [
      ["'it''s \\\\ \\'a\\''", "it's \\ 'a'"],
      ["$$it's \\n$$", "it's \\n"],
      ["LENGTH('\\t')", "1"]
    ]
  },
  EXISTS: {
    doc: "Whether a query gives rows.",
    golden: [
      ["EXISTS (SELECT 1 WHERE FALSE)", "false"],
      ["NOT EXISTS (SELECT 1)", "false"]
    ]
  }
}
