import { type Argument, call, type Constructs, only, quote, textOf, unsupported } from "./Construct.ts"

const json = ({ sql, semi }: Argument): string => (semi === undefined ? `to_json(${sql})` : sql)

/** Functions on semi-structured values, which are DuckDB JSON. */
export const jsonFunctions: Constructs = {
  ARRAY_CONTAINS: {
    doc: "Whether an ARRAY has an element equal to the VARIANT; NULL if the array is.",
    arity: [2, 2],
    render: ([value, array]) => {
      if (value?.semi !== "variant" || array?.semi !== "array") throw unsupported("ARRAY_CONTAINS of other types")
      return `list_contains(CAST(${array.sql} AS JSON[]), ${value.sql})`
    },
    golden: [
      ["ARRAY_CONTAINS('b'::VARIANT, CAST(PARSE_JSON('[\"a\", \"b\"]') AS ARRAY))", "true"],
      ["ARRAY_CONTAINS('c'::VARIANT, CAST(PARSE_JSON('[\"a\", [\"c\"]]') AS ARRAY))", "false"],
      ["ARRAY_CONTAINS('c'::VARIANT, CAST(PARSE_JSON(NULL) AS ARRAY))", null]
    ]
  },
  ARRAY_SIZE: { doc: "Number of elements; NULL for what is no array.", arity: [1, 1], render: ([array]) => `CASE WHEN json_type(${json(array!)}) = 'ARRAY' THEN json_array_length(${json(array!)}) END`, golden: [["ARRAY_SIZE(PARSE_JSON('[1, 2]'))", "2"], ["ARRAY_SIZE(PARSE_JSON('1'))", null]] },
  GET: {
    doc: "The element at an index from 0, or of a name, case-sensitive; NULL where there is none.",
    arity: [2, 2],
    semi: "variant",
    render: ([value, at]) => {
      if (value?.semi === undefined) throw unsupported("GET from what is no VARIANT")
      if (at?.literal !== undefined) return `json_extract(${value.sql}, ${quote(`$."${at.literal.replaceAll('"', '\\"')}"`)})`
      if (!/^\d+$/.test(at?.sql ?? "")) throw unsupported("GET at what is no literal")
      return `json_extract(${value.sql}, '$[${at!.sql}]')`
    },
    golden: [
      ["GET(PARSE_JSON('[\"a\", \"b\"]'), 1)::VARCHAR", "b"],
      ["GET(PARSE_JSON('[\"a\"]'), 1)::VARCHAR", null],
      ["GET(PARSE_JSON('[null]'), 0)::VARCHAR", null],
      ["GET(PARSE_JSON('{\"a\": 1}'), 'A')::VARCHAR", null]
    ]
  },
  JSON_EXTRACT_PATH_TEXT: {
    doc: "The value of a name in a JSON object text, as a text; NULL where there is none.",
    arity: [2, 2],
    render: ([text, path]) => {
      if (path?.literal === undefined || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(path.literal)) throw unsupported("JSON_EXTRACT_PATH_TEXT with this path")
      return `json_extract_string(${text!.sql}, '$.${path.literal}')`
    },
    golden: [["JSON_EXTRACT_PATH_TEXT('{\"a\": \"x\", \"b\": 2}', 'b')", "2"], ["JSON_EXTRACT_PATH_TEXT('{\"a\": \"x\"}', 'a')", "x"], ["JSON_EXTRACT_PATH_TEXT('{\"a\": \"x\"}', 'c')", null]]
  },
  PARSE_JSON: {
    doc: "The JSON text as VARIANT; NULL for an empty text; an error for what is no JSON.",
    arity: [1, 1],
    semi: "variant",
    render: ([text]) => `CAST(nullif(trim(${text!.sql}), '') AS JSON)`,
    golden: [["PARSE_JSON('{\"a\": [1]}'):a[0]::VARCHAR", "1"], ["PARSE_JSON('null')::VARCHAR", null], ["PARSE_JSON('')", null], ["PARSE_JSON('\"x\"')::VARCHAR", "x"]]
  },
  TRY_PARSE_JSON: { doc: "As PARSE_JSON, NULL instead of an error.", arity: [1, 1], semi: "variant", render: ([text]) => `TRY_CAST(nullif(trim(${text!.sql}), '') AS JSON)`, golden: [["TRY_PARSE_JSON('{')", null]] },
  TO_JSON: { doc: "The JSON text of a VARIANT.", arity: [1, 1], render: ([value]) => `CAST(${json(value!)} AS VARCHAR)`, golden: [["TO_JSON(TO_VARIANT('a\"\\n'))", '"a\\"\\n"']] },
  TO_VARIANT: { doc: "The value as VARIANT.", arity: [1, 1], semi: "variant", render: ([value]) => json(value!), golden: [["TO_VARIANT('x')::VARCHAR", "x"]] }
}

const binary = (text: Argument): string => `from_hex(${text.sql})`

/** Functions of no one type: conditions, booleans and bytes. */
export const conditionFunctions: Constructs = {
  COALESCE: { doc: "The first argument that is not NULL.", arity: [2, 999], render: call("coalesce"), golden: [["COALESCE(NULL, 'a', 'b')", "a"]] },
  NVL: { doc: "As COALESCE of two.", arity: [2, 2], render: call("coalesce"), golden: [["NVL(NULL, 'a')", "a"]] },
  IFF: { doc: "The second argument where the first is true, else the third.", arity: [3, 3], render: ([is, yes, no]) => `CASE WHEN ${is!.sql} THEN ${yes!.sql} ELSE ${no!.sql} END`, golden: [["IFF(NULL, 'a', 'b')", "b"], ["IFF(TRUE, 'a', 'b')", "a"]] },
  NULLIF: { doc: "NULL where both are equal, else the first.", arity: [2, 2], render: call("nullif"), golden: [["NULLIF(1, 1)", null], ["NULLIF(1, 2)", "1"]] },
  EQUAL_NULL: { doc: "Whether both are equal or both NULL.", arity: [2, 2], render: ([a, b]) => `(${a!.sql} IS NOT DISTINCT FROM ${b!.sql})`, golden: [["EQUAL_NULL(NULL, NULL)", "true"]] },
  TO_BINARY: { doc: "The bytes of a hex text; an error for what is none.", arity: [2, 2], render: ([text, format]) => (only("TO_BINARY", format, "HEX"), binary(text!)), golden: [["HEX_ENCODE(TO_BINARY('00ff', 'HEX'))", "00FF"]] },
  TRY_TO_BINARY: { doc: "As TO_BINARY, NULL instead of an error.", arity: [2, 2], render: ([text, format]) => (only("TRY_TO_BINARY", format, "HEX"), `TRY(${binary(text!)})`), golden: [["HEX_ENCODE(TRY_TO_BINARY('00ff', 'HEX'))", "00FF"], ["TRY_TO_BINARY('zz', 'HEX')", null]] },
  TRY_TO_BOOLEAN: {
    doc: "true, t, yes, y, on, 1 and their opposites, in any case; NULL for other texts.",
    arity: [1, 1],
    render: ([text]) => `CASE WHEN lower(${textOf(text!)}) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true WHEN lower(${textOf(text!)}) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END`,
    golden: [["TRY_TO_BOOLEAN('True')", "true"], ["TRY_TO_BOOLEAN('f')", "false"], ["TRY_TO_BOOLEAN('on')", "true"], ["TRY_TO_BOOLEAN('maybe')", null]]
  }
}

/** Aggregates and window functions; NULLs are left out of aggregates. */
export const aggregateFunctions: Constructs = {
  COUNT: { doc: "Rows, or those whose argument is not NULL.", arity: [1, 1], role: "aggregate", render: call("count"), golden: [["COUNT(NULL)", "0"], ["COUNT(*)", "1"]] },
  COUNT_IF: { doc: "Rows for which the condition is true.", arity: [1, 1], role: "aggregate", render: ([is]) => `count(CASE WHEN ${is!.sql} THEN 1 END)`, golden: [["COUNT_IF(FALSE)", "0"]] },
  MAX: { doc: "The greatest value.", arity: [1, 1], role: "aggregate", render: call("max"), golden: [["MAX(NULL::VARCHAR)", null], ["MAX('a')", "a"]] },
  MIN: { doc: "The least value.", arity: [1, 1], role: "aggregate", render: call("min"), golden: [["MIN('a')", "a"]] },
  SUM: { doc: "The sum, of integers without rounding; NULL of no values.", arity: [1, 1], role: "aggregate", render: call("sum"), golden: [["SUM(NULL::NUMBER(38,0))", null], ["SUM(9223372036854775807::NUMBER(19,0))", "9223372036854775807"]] },
  MAX_BY: { doc: "The first argument of the row whose second is greatest, NULL if it is NULL there; rows whose second is NULL are left out.", arity: [2, 2], role: "aggregate", render: call("arg_max_null"), golden: [["MAX_BY('a', 1)", "a"], ["MAX_BY(NULL::VARCHAR, 1)", null], ["MAX_BY('a', NULL::NUMBER(38,0))", null]] },
  MIN_BY: { doc: "As MAX_BY, of the least.", arity: [2, 2], role: "aggregate", render: call("arg_min_null"), golden: [["MIN_BY('a', 1)", "a"]] },
  LAG: { doc: "The value of the row before in its partition; NULL in the first.", arity: [1, 1], role: "window", render: call("lag"), golden: [["LAG(1) OVER (ORDER BY 1)", null]] },
  LEAD: { doc: "The value of the row behind in its partition; NULL in the last.", arity: [1, 1], role: "window", render: call("lead"), golden: [["LEAD(1) OVER (ORDER BY 1)", null]] },
  RANK: { doc: "One more than the rows before in the order; equal rows have one rank.", arity: [0, 0], role: "window", render: call("rank"), golden: [["RANK() OVER (ORDER BY 1)", "1"]] },
  ROW_NUMBER: { doc: "Number of the row in its partition, from 1.", arity: [0, 0], role: "window", render: call("row_number"), golden: [["ROW_NUMBER() OVER (ORDER BY 1)", "1"]] }
}

/** What the session is. */
export const sessionFunctions: Constructs = {
  CURRENT_DATABASE: { doc: "The session's database; NULL if none is selected.", arity: [0, 0], render: (_, { database }) => nullable(database), golden: [["CURRENT_DATABASE()", "DB"]] },
  CURRENT_ROLE: { doc: "The session's primary role.", arity: [0, 0], render: (_, { role }) => quote(role), golden: [["CURRENT_ROLE()", "PUBLISHER"]] },
  CURRENT_SCHEMA: { doc: "The session's schema; NULL if none is selected.", arity: [0, 0], render: (_, { schema }) => nullable(schema), golden: [["CURRENT_SCHEMA()", "PUBLIC"]] },
  CURRENT_SESSION: { doc: "The session's id.", arity: [0, 0], render: (_, { id }) => quote(id), golden: [["CURRENT_SESSION()", "1"]] },
  CURRENT_USER: { doc: "The session's user.", arity: [0, 0], render: (_, { user }) => quote(user), golden: [["CURRENT_USER()", "LOADER"]] },
  CURRENT_WAREHOUSE: { doc: "The session's warehouse; NULL if none is selected.", arity: [0, 0], render: (_, { warehouse }) => nullable(warehouse), golden: [["CURRENT_WAREHOUSE()", null]] }
}

const nullable = (text: string | undefined): string => (text === undefined ? "NULL" : quote(text))
