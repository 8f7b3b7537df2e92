import { type Argument, call, type Constructs, only, unsupported } from "./Construct.ts"

/** Parts that dates and times are cut by, with DuckDB's name. */
const parts: Readonly<Record<string, string>> = {
  YEAR: "year",
  MONTH: "month",
  DAY: "day",
  HOUR: "hour",
  MINUTE: "minute",
  SECOND: "second",
  MILLISECOND: "millisecond",
  MICROSECOND: "microsecond"
}

const part = (name: string, argument: Argument | undefined): string => {
  const found = parts[(argument?.word ?? argument?.literal ?? "").toUpperCase()]
  if (found === undefined) throw unsupported(`${name} of this part`)
  return found
}

/** The shape that a format asks for; the calendar is checked by the cast. */
const shapes = {
  "YYYY-MM-DD": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
  "HH24:MI:SS.FF6": "[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}",
  "YYYY-MM-DD HH24:MI:SS.FF6": "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}",
  "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM":
    "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}[-+][0-9]{2}:[0-9]{2}"
} as const

/** DuckDB takes 24:00:00 for a time, and 24:00:00 of a day for the next one's midnight; Snowflake's hours end at 23. */
const notMidnight = (text: string): string => ` AND NOT contains(${text}, '24:00:')`

const tryFormat =
  (name: string, format: keyof typeof shapes, type: string) =>
  ([text, written]: ReadonlyArray<Argument>): string => {
    only(name, written, format)
    const sql = text!.sql
    const hours = format === "YYYY-MM-DD" ? "" : notMidnight(sql)
    return `CASE WHEN regexp_full_match(${sql}, '${shapes[format]}')${hours} THEN TRY_CAST(${sql} AS ${type}) END`
  }

/** Functions on dates and times. Sessions run with TIMEZONE = 'UTC'. */
export const timeFunctions: Constructs = {
  CONVERT_TIMEZONE: {
    doc: "With three arguments: the wall-clock time in the second zone when it is the third argument, a TIMESTAMP_NTZ, in the first.",
    arity: [3, 3],
    render: ([from, to, value]) => `timezone(${to!.sql}, timezone(${from!.sql}, ${value!.sql}))`,
    golden: [
      [
        "CONVERT_TIMEZONE('America/Los_Angeles', 'America/New_York', '2024-01-01 14:00:00'::TIMESTAMP_NTZ(6))",
        "2024-01-01 17:00:00"
      ],
      ["CONVERT_TIMEZONE('Europe/Warsaw', 'UTC', '2024-01-01 00:00:00'::TIMESTAMP_NTZ(6))", "2023-12-31 23:00:00"]
    ]
  },
  CURRENT_TIMESTAMP: {
    doc: "The instant at which the statement began.",
    arity: [0, 0],
    render: () => "now()",
    golden: [["CURRENT_TIMESTAMP() IS NULL", "false"]]
  },
  CURRENT_DATE: {
    doc: "Today in the session's zone, UTC.",
    arity: [0, 0],
    render: () => "CAST(now() AS DATE)",
    golden: [["CURRENT_DATE() IS NULL", "false"]]
  },
  DATE_PART: {
    doc: "A part of a date or time; EPOCH_* count from 1970-01-01 00:00:00 UTC.",
    arity: [2, 2],
    render: ([name, value]) => {
      const epochs: Readonly<Record<string, string>> = {
        EPOCH_SECOND: "CAST(floor(epoch(VALUE)) AS BIGINT)",
        EPOCH_MILLISECOND: "epoch_ms(VALUE)",
        EPOCH_MICROSECOND: "epoch_us(VALUE)"
      }
      const epoch = epochs[name?.word ?? ""]
      return epoch === undefined
        ? `date_part('${part("DATE_PART", name)}', ${value!.sql})`
        : epoch.replace("VALUE", () => value!.sql)
    },
    golden: [
      ["DATE_PART(YEAR, '2013-05-08'::DATE)", "2013"],
      ["DATE_PART(EPOCH_MILLISECOND, '2013-05-08 23:39:20.123456'::TIMESTAMP_NTZ(6))", "1368056360123"],
      ["DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ(6))", "-1"],
      ["DATE_PART(EPOCH_SECOND, '1970-01-01 00:00:01+00'::TIMESTAMP_LTZ(6))", "1"]
    ]
  },
  DATEADD: {
    doc: "The value with a number of parts added; months end at the last day of a month.",
    arity: [3, 3],
    render: ([name, count, value]) =>
      `date_add(${value!.sql}, to_${part("DATEADD", name)}s(CAST(${count!.sql} AS INTEGER)))`,
    golden: [
      ["DATEADD(MONTH, 1, '2000-01-31 00:00:00'::TIMESTAMP_NTZ(6))", "2000-02-29 00:00:00"],
      ["DATEADD('hour', -2, '2000-01-31 01:00:00'::TIMESTAMP_NTZ(6))", "2000-01-30 23:00:00"]
    ]
  },
  DATEDIFF: {
    doc: "How many boundaries of the part lie between two values: only the part and larger ones are looked at.",
    arity: [3, 3],
    render: ([name, from, to]) => `date_diff('${part("DATEDIFF", name)}', ${from!.sql}, ${to!.sql})`,
    golden: [
      ["DATEDIFF(YEAR, '2010-04-09'::DATE, '2013-05-08'::DATE)", "3"],
      ["DATEDIFF('minute', '2024-01-01 00:00:59'::TIMESTAMP_NTZ(6), '2024-01-01 00:01:00'::TIMESTAMP_NTZ(6))", "1"],
      ["DATEDIFF(DAY, '1970-01-01'::DATE, '1969-12-31'::DATE)", "-1"],
      ["DATEDIFF(MICROSECOND, '00:00:00'::TIME(6), '23:59:59.999999'::TIME(6))", "86399999999"]
    ]
  },
  DATE_TRUNC: {
    doc: "The value with everything smaller than the part at its least.",
    arity: [2, 2],
    render: ([name, value]) => `date_trunc('${part("DATE_TRUNC", name)}', ${value!.sql})`,
    golden: [["DATE_TRUNC('hour', '2015-05-08 23:39:20'::TIMESTAMP_NTZ(6))", "2015-05-08 23:00:00"]]
  },
  TO_DATE: {
    doc: "The value as DATE: the day of a timestamp.",
    arity: [1, 1],
    render: ([value]) => `CAST(${value!.sql} AS DATE)`,
    golden: [
      ["TO_DATE('2024-02-29')", "2024-02-29"],
      ["TO_DATE('2024-02-29 23:59:59'::TIMESTAMP_NTZ(6))", "2024-02-29"]
    ]
  },
  TO_TIMESTAMP_LTZ: {
    doc: "The instant of a number of 10^-scale seconds since 1970-01-01 00:00:00 UTC.",
    arity: [2, 2],
    render: ([value, scale]) => {
      const unit = { "0": " * 1000000", "3": " * 1000", "6": "" }[scale!.sql]
      if (unit === undefined) throw unsupported("TO_TIMESTAMP_LTZ of this scale")
      return `make_timestamptz(CAST(${value!.sql} AS BIGINT)${unit})`
    },
    golden: [
      ["TO_TIMESTAMP_LTZ(1700000000123, 3)", "2023-11-14 22:13:20.123+00"],
      ["TO_TIMESTAMP_LTZ(-1, 6)", "1969-12-31 23:59:59.999999+00"]
    ]
  },
  TRY_TO_DATE: {
    doc: "The text as DATE by a format; NULL if it is none.",
    arity: [2, 2],
    render: tryFormat("TRY_TO_DATE", "YYYY-MM-DD", "DATE"),
    golden: [
      ["TRY_TO_DATE('2024-02-29', 'YYYY-MM-DD')", "2024-02-29"],
      ["TRY_TO_DATE('2023-02-29', 'YYYY-MM-DD')", null],
      ["TRY_TO_DATE('x', 'YYYY-MM-DD')", null]
    ]
  },
  TRY_TO_TIME: {
    doc: "The text as TIME by a format; NULL if it is none. Hours are 0 to 23.",
    arity: [2, 2],
    render: tryFormat("TRY_TO_TIME", "HH24:MI:SS.FF6", "TIME"),
    golden: [
      ["TRY_TO_TIME('23:59:59.999999', 'HH24:MI:SS.FF6')", "23:59:59.999999"],
      ["TRY_TO_TIME('24:00:00.000000', 'HH24:MI:SS.FF6')", null]
    ]
  },
  TRY_TO_TIMESTAMP_NTZ: {
    doc: "The text as TIMESTAMP_NTZ by a format; NULL if it is none.",
    arity: [2, 2],
    render: tryFormat("TRY_TO_TIMESTAMP_NTZ", "YYYY-MM-DD HH24:MI:SS.FF6", "TIMESTAMP"),
    golden: [
      ["TRY_TO_TIMESTAMP_NTZ('2024-02-29 12:00:00.000001', 'YYYY-MM-DD HH24:MI:SS.FF6')", "2024-02-29 12:00:00.000001"],
      ["TRY_TO_TIMESTAMP_NTZ('2024-02-30 12:00:00.000001', 'YYYY-MM-DD HH24:MI:SS.FF6')", null]
    ]
  },
  TRY_TO_TIMESTAMP_LTZ: {
    doc: "The text with its offset as an instant by a format; NULL if it is none.",
    arity: [2, 2],
    render: tryFormat("TRY_TO_TIMESTAMP_LTZ", "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM", "TIMESTAMPTZ"),
    golden: [
      [
        "TRY_TO_TIMESTAMP_LTZ('2024-07-01 12:00:00.500000+05:30', 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')",
        "2024-07-01 06:30:00.5+00"
      ],
      ["TRY_TO_TIMESTAMP_LTZ('2024-07-01 25:00:00.500000+05:30', 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM')", null]
    ]
  },
  SYSDATE: {
    doc: "The instant at which it is evaluated, as TIMESTAMP_NTZ in UTC.",
    arity: [0, 0],
    render: () => "timezone('UTC', now())",
    golden: [["SYSDATE() IS NULL", "false"]]
  },
  TIMEDIFF: {
    doc: "As DATEDIFF.",
    arity: [3, 3],
    render: ([name, from, to]) => call("date_diff")([{ sql: `'${part("TIMEDIFF", name)}'` }, from!, to!]),
    golden: [["TIMEDIFF(HOUR, '00:59:00'::TIME(6), '01:00:00'::TIME(6))", "1"]]
  }
}
