import { call, type Construct, type Constructs, textOf, unsupported } from "./Construct.ts"
import { number } from "./SqlType.ts"

/** How a number is written: what Snowflake takes for one, and not what DuckDB takes besides (`1_000`, `0x1f`). */
const numeral = "\\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?\\s*"

const tryToNumber: Construct = {
  doc: "The text as NUMBER(precision, scale), rounded half away from zero to the scale; NULL if it is none or has more digits.",
  arity: [3, 3],
  render: ([text, precision, scale]) => {
    const type = number(digits(precision?.sql), digits(scale?.sql))
    const value = textOf(text!)
    // By way of a HUGEINT: casts of texts to wide DECIMALs are slow.
    const whole = `TRY_CAST(${value} AS HUGEINT)`
    const cast =
      type.scale !== 0
        ? `TRY_CAST(${value} AS ${type.duckdb})`
        : type.precision === 38
          ? `CASE WHEN ${whole} BETWEEN -${limit} AND ${limit} THEN ${whole} END`
          : `TRY_CAST(${whole} AS ${type.duckdb})`
    return `CASE WHEN regexp_full_match(${value}, '${numeral}') THEN ${cast} END`
  },
  golden: [
    ["TRY_TO_NUMBER('345.123', 10, 0)", "345"],
    ["TRY_TO_NUMBER('2.5', 38, 0)", "3"],
    ["TRY_TO_NUMBER('-2.5', 5, 0)", "-3"],
    ["TRY_TO_NUMBER('345.12', 10, 1)", "345.1"],
    ["TRY_TO_NUMBER('99999999999999999999999999999999999999', 38, 0)", "99999999999999999999999999999999999999"],
    ["TRY_TO_NUMBER('100000000000000000000000000000000000000', 38, 0)", null],
    ["TRY_TO_NUMBER('100000', 5, 0)", null],
    ["TRY_TO_NUMBER('1_0', 5, 0)", null],
    ["TRY_TO_NUMBER('0x1f', 5, 0)", null],
    ["TRY_TO_NUMBER('NaN', 5, 0)", null],
    ["TRY_TO_NUMBER('', 5, 0)", null]
  ]
}

const digits = (sql: string | undefined): number => {
  if (sql === undefined || !/^\d{1,2}$/.test(sql))
    throw unsupported("TRY_TO_NUMBER without literal precision and scale")
  return Number(sql)
}

/** The greatest number of 38 digits. */
const limit = "9".repeat(38)

/** Functions on numbers. Integer arithmetic that overflows is an error, never a wrapped value. */
export const numberFunctions: Constructs = {
  ABS: { doc: "Absolute value.", arity: [1, 1], render: call("abs"), golden: [["ABS(-1.50::NUMBER(3,2))", "1.50"]] },
  FLOOR: {
    doc: "The greatest whole number not above.",
    arity: [1, 1],
    render: call("floor"),
    golden: [
      ["FLOOR(-135.135)", "-136"],
      ["FLOOR(1.0::FLOAT)", "1.0"]
    ]
  },
  GREATEST: {
    doc: "The greatest argument; NULL if any is NULL.",
    arity: [1, 99],
    render: (args) =>
      unlessNull(
        args.map(({ sql }) => sql),
        "greatest"
      ),
    golden: [
      ["GREATEST(1, 3, 2)", "3"],
      ["GREATEST(1, NULL)", null]
    ]
  },
  LEAST: {
    doc: "The least argument; NULL if any is NULL.",
    arity: [1, 99],
    render: (args) =>
      unlessNull(
        args.map(({ sql }) => sql),
        "least"
      ),
    golden: [
      ["LEAST(1, 3, 2)", "1"],
      ["LEAST(1, NULL)", null]
    ]
  },
  LOG: {
    doc: "The logarithm of the second argument to the base of the first.",
    arity: [2, 2],
    render: call("log"),
    golden: [
      ["LOG(2, 1.0::FLOAT)", "0.0"],
      ["LOG(2, 1024)", "10.0"]
    ]
  },
  MOD: {
    doc: "The remainder, with the sign of the dividend.",
    arity: [2, 2],
    render: ([a, b]) => `(${a!.sql} % ${b!.sql})`,
    golden: [
      ["MOD(13, 5)", "3"],
      ["MOD(-13, 5)", "-3"]
    ]
  },
  POWER: {
    doc: "The first argument to the power of the second, a FLOAT.",
    arity: [2, 2],
    render: call("power"),
    golden: [
      ["POWER(2, 10)", "1024.0"],
      ["POWER(2, -1022)", "2.2250738585072014e-308"]
    ]
  },
  ROUND: {
    doc: "Rounded half away from zero to a number of digits after the point.",
    arity: [1, 2],
    render: call("round"),
    golden: [
      ["ROUND(2.5::FLOAT)", "3.0"],
      ["ROUND(-2.5::NUMBER(2,1))", "-3"],
      ["ROUND(1.255::NUMBER(4,3), 2)", "1.26"]
    ]
  },
  TO_DOUBLE: {
    doc: "The value as FLOAT; an error if it is none. Texts `NaN`, `inf` and `-inf` are numbers.",
    arity: [1, 1],
    render: ([value]) => `CAST(${textOf(value!)} AS DOUBLE)`,
    golden: [
      ["TO_DOUBLE('1.5e3')", "1500.0"],
      ["TO_DOUBLE('inf')", "inf"]
    ]
  },
  TRY_TO_DOUBLE: {
    doc: "As TO_DOUBLE, NULL instead of an error.",
    arity: [1, 1],
    render: ([text]) => `TRY_CAST(${textOf(text!)} AS DOUBLE)`,
    golden: [
      ["TRY_TO_DOUBLE('0.30000000000000004')", "0.30000000000000004"],
      ["TRY_TO_DOUBLE('5e-324')", "5e-324"],
      ["TRY_TO_DOUBLE('x')", null]
    ]
  },
  TO_NUMBER: {
    doc: "The text as a whole number; with the format of X's, a text of hex digits.",
    arity: [1, 2],
    render: ([text, format]) => {
      if (format === undefined) return `CAST(${textOf(text!)} AS HUGEINT)`
      if (format.literal === undefined || !/^X{1,15}$/.test(format.literal))
        throw unsupported("TO_NUMBER with this format")
      return `CAST(CAST('0x' || ${text!.sql} AS UBIGINT) AS HUGEINT)`
    },
    golden: [
      ["TO_NUMBER('12')", "12"],
      ["TO_NUMBER('fffffffffffffff', 'XXXXXXXXXXXXXXX')", "1152921504606846975"]
    ]
  },
  TRY_TO_NUMBER: tryToNumber,
  TRY_TO_DECIMAL: { ...tryToNumber, doc: "As TRY_TO_NUMBER.", golden: [["TRY_TO_DECIMAL('1.500', 12, 2)", "1.50"]] }
}

/** DuckDB's functions leave NULLs out. */
const unlessNull = (values: ReadonlyArray<string>, name: string): string =>
  `CASE WHEN ${values.map((sql) => `(${sql}) IS NOT NULL`).join(" AND ")} THEN ${name}(${values.join(", ")}) END`
