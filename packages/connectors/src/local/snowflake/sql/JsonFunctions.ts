import { type Argument, type Constructs, quote, unsupported } from "./Construct.ts"

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
  ARRAY_SIZE: {
    doc: "Number of elements; NULL for what is no array.",
    arity: [1, 1],
    render: ([array]) => `CASE WHEN json_type(${json(array!)}) = 'ARRAY' THEN json_array_length(${json(array!)}) END`,
    golden: [
      ["ARRAY_SIZE(PARSE_JSON('[1, 2]'))", "2"],
      ["ARRAY_SIZE(PARSE_JSON('1'))", null]
    ]
  },
  GET: {
    doc: "The element at an index from 0, or of a name, case-sensitive; NULL where there is none.",
    arity: [2, 2],
    semi: "variant",
    render: ([value, at]) => {
      if (value?.semi === undefined) throw unsupported("GET from what is no VARIANT")
      if (at?.literal !== undefined)
        return `json_extract(${value.sql}, ${quote(`$."${at.literal.replaceAll('"', '\\"')}"`)})`
      if (!/^\d+$/.test(at?.sql ?? "")) throw unsupported("GET at what is no literal")
      return `json_extract(${value.sql}, '$[${at!.sql}]')`
    },
    golden: [
      ['GET(PARSE_JSON(\'["a", "b"]\'), 1)::VARCHAR', "b"],
      ["GET(PARSE_JSON('[\"a\"]'), 1)::VARCHAR", null],
      ["GET(PARSE_JSON('[null]'), 0)::VARCHAR", null],
      ["GET(PARSE_JSON('{\"a\": 1}'), 'A')::VARCHAR", null]
    ]
  },
  JSON_EXTRACT_PATH_TEXT: {
    doc: "The value of a name in a JSON object text, as a text; NULL where there is none.",
    arity: [2, 2],
    render: ([text, path]) => {
      if (path?.literal === undefined || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(path.literal))
        throw unsupported("JSON_EXTRACT_PATH_TEXT with this path")
      return `json_extract_string(${text!.sql}, '$.${path.literal}')`
    },
    golden: [
      ['JSON_EXTRACT_PATH_TEXT(\'{"a": "x", "b": 2}\', \'b\')', "2"],
      ["JSON_EXTRACT_PATH_TEXT('{\"a\": \"x\"}', 'a')", "x"],
      ["JSON_EXTRACT_PATH_TEXT('{\"a\": \"x\"}', 'c')", null]
    ]
  },
  PARSE_JSON: {
    doc: "The JSON text as VARIANT; NULL for an empty text; an error for what is no JSON.",
    arity: [1, 1],
    semi: "variant",
    render: ([text]) => `CAST(nullif(trim(${text!.sql}), '') AS JSON)`,
    golden: [
      ["PARSE_JSON('{\"a\": [1]}'):a[0]::VARCHAR", "1"],
      ["PARSE_JSON('null')::VARCHAR", null],
      ["PARSE_JSON('')", null],
      ["PARSE_JSON('\"x\"')::VARCHAR", "x"]
    ]
  },
  TRY_PARSE_JSON: {
    doc: "As PARSE_JSON, NULL instead of an error.",
    arity: [1, 1],
    semi: "variant",
    render: ([text]) => `TRY_CAST(nullif(trim(${text!.sql}), '') AS JSON)`,
    golden: [["TRY_PARSE_JSON('{')", null]]
  },
  TO_JSON: {
    doc: "The JSON text of a VARIANT.",
    arity: [1, 1],
    render: ([value]) => `CAST(${json(value!)} AS VARCHAR)`,
    golden: [["TO_JSON(TO_VARIANT('a\"\\n'))", '"a\\"\\n"']]
  },
  TO_VARIANT: {
    doc: "The value as VARIANT.",
    arity: [1, 1],
    semi: "variant",
    render: ([value]) => json(value!),
    golden: [["TO_VARIANT('x')::VARCHAR", "x"]]
  }
}
