import { call, type Constructs, textOf, unsupported } from "./Construct.ts"

/** Functions on texts. Texts compare and count by Unicode code points, without a collation. */
export const textFunctions: Constructs = {
  CHR: {
    doc: "The character of a code point.",
    arity: [1, 1],
    render: call("chr"),
    golden: [["CHR(31) || CHR(955)", "\u001fλ"]]
  },
  CONCAT: {
    doc: "As ||: NULL if any argument is NULL.",
    arity: [1, 99],
    render: (args) => `(${args.map(({ sql }) => sql).join(" || ")})`,
    golden: [
      ["CONCAT('a', 'b', 'c')", "abc"],
      ["CONCAT('a', NULL)", null]
    ]
  },
  CONCAT_WS: {
    doc: "The other arguments with the first between them; NULL if any argument is NULL.",
    arity: [2, 99],
    render: ([separator, ...args]) =>
      `(${args.map(({ sql }) => sql).join(` || ${separator!.sql} || `)} || left(${separator!.sql}, 0))`,
    golden: [
      ["CONCAT_WS(',', 'one', 'two')", "one,two"],
      ["CONCAT_WS(',', 'one')", "one"],
      ["CONCAT_WS(',', 'one', NULL)", null],
      ["CONCAT_WS(NULL, 'one')", null]
    ]
  },
  CONTAINS: {
    doc: "Whether the first text holds the second; NULL if either is.",
    arity: [2, 2],
    render: call("contains"),
    golden: [
      ["CONTAINS('coffee', 'ff')", "true"],
      ["CONTAINS('coffee', 'F')", "false"],
      ["CONTAINS(NULL, 'F')", null]
    ]
  },
  ENDSWITH: {
    doc: "Whether the first text ends with the second.",
    arity: [2, 2],
    render: call("suffix"),
    golden: [["ENDSWITH('coffee', 'fee')", "true"]]
  },
  STARTSWITH: {
    doc: "Whether the first text starts with the second.",
    arity: [2, 2],
    render: call("starts_with"),
    golden: [["STARTSWITH('coffee', 'Co')", "false"]]
  },
  HEX_ENCODE: {
    doc: "Upper-case hex of bytes, or of a text's UTF-8 bytes.",
    arity: [1, 1],
    render: call("hex"),
    golden: [["HEX_ENCODE('é')", "C3A9"]]
  },
  LEFT: { doc: "The first n characters.", arity: [2, 2], render: call("left"), golden: [["LEFT('naïve', 3)", "naï"]] },
  LENGTH: {
    doc: "Number of characters.",
    arity: [1, 1],
    render: call("length"),
    golden: [
      ["LENGTH('naïve')", "5"],
      ["LENGTH('')", "0"]
    ]
  },
  LOWER: { doc: "Lower case.", arity: [1, 1], render: call("lower"), golden: [["LOWER('ÀB')", "àb"]] },
  LPAD: {
    doc: "Filled up on the left to a length; a longer text is cut to it.",
    arity: [3, 3],
    render: call("lpad"),
    golden: [
      ["LPAD('a', 3, '0')", "00a"],
      ["LPAD('abcd', 3, '0')", "abc"]
    ]
  },
  LTRIM: {
    doc: "Without the leading characters that are among those of the second text; by default blanks.",
    arity: [1, 2],
    render: call("ltrim"),
    golden: [
      ["LTRIM('#0 a0', '0# ')", "a0"],
      ["LTRIM('  a ')", "a "]
    ]
  },
  MD5: {
    doc: "Lower-case hex of the MD5 of the text's UTF-8 bytes.",
    arity: [1, 1],
    render: call("md5"),
    golden: [["MD5('Snowflake')", "edf1439075a83a447fb8b630ddc9c8de"]]
  },
  REPLACE: {
    doc: "Every occurrence replaced.",
    arity: [3, 3],
    render: call("replace"),
    golden: [["REPLACE('down', 'o', '00')", "d00wn"]]
  },
  RIGHT: {
    doc: "The last n characters.",
    arity: [2, 2],
    render: call("right"),
    golden: [["RIGHT('naïve', 3)", "ïve"]]
  },
  RPAD: {
    doc: "Filled up on the right to a length; a longer text is cut to it.",
    arity: [3, 3],
    render: call("rpad"),
    golden: [
      ["RPAD('123', 6, '0')", "123000"],
      ["RPAD('', 2, '0')", "00"],
      ["RPAD('+05', 6, ':00')", "+05:00"],
      ["RPAD('+05:30', 6, ':00')", "+05:30"]
    ]
  },
  RTRIM: {
    doc: "Without the trailing characters that are among those of the second text; by default blanks.",
    arity: [1, 2],
    render: call("rtrim"),
    golden: [["RTRIM('1.500', '0')", "1.5"]]
  },
  SHA2: {
    doc: "Lower-case hex of the SHA-256 of the text's UTF-8 bytes.",
    arity: [1, 1],
    render: call("sha256"),
    golden: [["LEFT(SHA2('Snowflake'), 8)", "1dbd59f6"]]
  },
  SPLIT_PART: {
    doc: "The n-th part, from 1, between occurrences of a separator; '' beyond the last.",
    arity: [3, 3],
    render: call("split_part"),
    golden: [
      ["SPLIT_PART('11.22', '.', 2)", "22"],
      ["SPLIT_PART('11.22', '.', 3)", ""]
    ]
  },
  SUBSTR: {
    doc: "Characters from a position, from 1, as many as asked for.",
    arity: [2, 3],
    render: call("substr"),
    golden: [
      ["SUBSTR('testing 1', 9, 5)", "1"],
      ["SUBSTR('abc', 5)", ""],
      ["SUBSTR('abc', 2, 1)", "b"]
    ]
  },
  SUBSTRING: { doc: "As SUBSTR.", arity: [2, 3], render: call("substr"), golden: [["SUBSTRING('abc', 2)", "bc"]] },
  TRIM: {
    doc: "Without leading and trailing characters of the second text; by default blanks.",
    arity: [1, 2],
    render: call("trim"),
    golden: [["TRIM('  a b ')", "a b"]]
  },
  UPPER: { doc: "Upper case.", arity: [1, 1], render: call("upper"), golden: [["UPPER('àb')", "ÀB"]] },
  REGEXP_LIKE: {
    doc: "Whether the whole text matches a POSIX ERE pattern: anchored at both ends.",
    arity: [2, 2],
    render: ([text, pattern]) => `regexp_full_match(${text!.sql}, ${pattern!.sql})`,
    golden: [
      ["REGEXP_LIKE('San Francisco', 'San.*')", "true"],
      ["REGEXP_LIKE('San Francisco', 'San')", "false"],
      ["REGEXP_LIKE('12', '-?[0-9]+')", "true"],
      ["REGEXP_LIKE('12a', '-?[0-9]+')", "false"],
      ["REGEXP_LIKE(NULL, 'a')", null]
    ]
  },
  REGEXP_INSTR: {
    doc: "Position of the first match, from 1; 0 without one.",
    arity: [2, 2],
    render: ([text, pattern]) =>
      `CASE WHEN regexp_matches(${text!.sql}, ${pattern!.sql}) THEN strpos(${text!.sql}, regexp_extract(${text!.sql}, ${pattern!.sql})) WHEN ${text!.sql} IS NOT NULL THEN 0 END`,
    golden: [
      ["REGEXP_INSTR('nevermore', 'e[vr]')", "2"],
      ["REGEXP_INSTR('ab', '[[:cntrl:]]')", "0"],
      ["REGEXP_INSTR('ab' || CHR(10), '[[:cntrl:]]')", "3"]
    ]
  },
  REGEXP_SUBSTR: {
    doc: "The first match, not anchored; NULL without one.",
    arity: [2, 2],
    render: ([text, pattern]) =>
      `CASE WHEN regexp_matches(${text!.sql}, ${pattern!.sql}) THEN regexp_extract(${text!.sql}, ${pattern!.sql}) END`,
    golden: [
      ["REGEXP_SUBSTR('12:00:01.25+02', '[.][0-9]+')", ".25"],
      ["REGEXP_SUBSTR('12:00:01', '[.][0-9]+')", null],
      ["REGEXP_SUBSTR('2024-01-01 00:00:00-03', '[-+][0-9]{2}$')", "-03"]
    ]
  },
  TO_VARCHAR: {
    doc: "The value as a text: numbers with all digits of their scale. With the format of X's a whole number in upper-case hex, blanks in front.",
    arity: [1, 2],
    render: ([value, format]) => {
      if (format === undefined) return castToText(value!.semi === undefined ? value!.sql : textOf(value!))
      if (format.literal === undefined || !/^X{1,16}$/.test(format.literal))
        throw unsupported("TO_VARCHAR with this format")
      return `lpad(hex(CAST(${value!.sql} AS UHUGEINT)), ${format.literal.length}, ' ')`
    },
    golden: [
      ["TO_VARCHAR(1.50::NUMBER(12,2))", "1.50"],
      ["TO_VARCHAR(0.05::NUMBER(2,2))", "0.05"],
      ["TO_VARCHAR(-0.05::NUMBER(2,2))", "-0.05"],
      ["TO_VARCHAR('.5')", ".5"],
      ["TO_VARCHAR(TRUE)", "true"],
      ["TO_VARCHAR('2024-02-29'::DATE)", "2024-02-29"],
      ["TRIM(TO_VARCHAR(255, 'XXXX'))", "FF"],
      ["TRIM(TO_VARCHAR(18446744073709551615, 'XXXXXXXXXXXXXXXX'))", "FFFFFFFFFFFFFFFF"]
    ]
  }
}

/** A value as a text. DuckDB writes no zero before the point of a DECIMAL whose digits are all behind it, Snowflake does. */
export const castToText = (sql: string): string =>
  `CASE WHEN starts_with(typeof(${sql}), 'DECIMAL') THEN regexp_replace(CAST(${sql} AS VARCHAR), '^(-?)[.]', '\\10.') ELSE CAST(${sql} AS VARCHAR) END`
