import { type Argument, call, type Constructs, only, textOf } from "./Construct.ts"

const binary = (text: Argument): string => `from_hex(${text.sql})`

/** Functions of no one type: conditions, booleans and bytes. */
export const conditionFunctions: Constructs = {
  COALESCE: {
    doc: "The first argument that is not NULL.",
    arity: [2, 999],
    render: call("coalesce"),
    golden: [["COALESCE(NULL, 'a', 'b')", "a"]]
  },
  NVL: { doc: "As COALESCE of two.", arity: [2, 2], render: call("coalesce"), golden: [["NVL(NULL, 'a')", "a"]] },
  IFF: {
    doc: "The second argument where the first is true, else the third.",
    arity: [3, 3],
    render: ([is, yes, no]) => `CASE WHEN ${is!.sql} THEN ${yes!.sql} ELSE ${no!.sql} END`,
    golden: [
      ["IFF(NULL, 'a', 'b')", "b"],
      ["IFF(TRUE, 'a', 'b')", "a"]
    ]
  },
  NULLIF: {
    doc: "NULL where both are equal, else the first.",
    arity: [2, 2],
    render: call("nullif"),
    golden: [
      ["NULLIF(1, 1)", null],
      ["NULLIF(1, 2)", "1"]
    ]
  },
  EQUAL_NULL: {
    doc: "Whether both are equal or both NULL.",
    arity: [2, 2],
    render: ([a, b]) => `(${a!.sql} IS NOT DISTINCT FROM ${b!.sql})`,
    golden: [["EQUAL_NULL(NULL, NULL)", "true"]]
  },
  TO_BINARY: {
    doc: "The bytes of a hex text; an error for what is none.",
    arity: [2, 2],
    render: ([text, format]) => (only("TO_BINARY", format, "HEX"), binary(text!)),
    golden: [["HEX_ENCODE(TO_BINARY('00ff', 'HEX'))", "00FF"]]
  },
  TRY_TO_BINARY: {
    doc: "As TO_BINARY, NULL instead of an error.",
    arity: [2, 2],
    render: ([text, format]) => (only("TRY_TO_BINARY", format, "HEX"), `TRY(${binary(text!)})`),
    golden: [
      ["HEX_ENCODE(TRY_TO_BINARY('00ff', 'HEX'))", "00FF"],
      ["TRY_TO_BINARY('zz', 'HEX')", null]
    ]
  },
  TRY_TO_BOOLEAN: {
    doc: "true, t, yes, y, on, 1 and their opposites, in any case; NULL for other texts.",
    arity: [1, 1],
    render: ([text]) =>
      `CASE WHEN lower(${textOf(text!)}) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true WHEN lower(${textOf(text!)}) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END`,
    golden: [
      ["TRY_TO_BOOLEAN('True')", "true"],
      ["TRY_TO_BOOLEAN('f')", "false"],
      ["TRY_TO_BOOLEAN('on')", "true"],
      ["TRY_TO_BOOLEAN('maybe')", null]
    ]
  }
}
