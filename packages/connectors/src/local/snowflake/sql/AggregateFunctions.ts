import { call, type Constructs } from "./Construct.ts"

/** Aggregates and window functions; NULLs are left out of aggregates. */
export const aggregateFunctions: Constructs = {
  COUNT: {
    doc: "Rows, or those whose argument is not NULL.",
    arity: [1, 1],
    role: "aggregate",
    render: call("count"),
    golden: [
      ["COUNT(NULL)", "0"],
      ["COUNT(*)", "1"]
    ]
  },
  COUNT_IF: {
    doc: "Rows for which the condition is true.",
    arity: [1, 1],
    role: "aggregate",
    render: ([is]) => `count(CASE WHEN ${is!.sql} THEN 1 END)`,
    golden: [["COUNT_IF(FALSE)", "0"]]
  },
  MAX: {
    doc: "The greatest value.",
    arity: [1, 1],
    role: "aggregate",
    render: call("max"),
    golden: [
      ["MAX(NULL::VARCHAR)", null],
      ["MAX('a')", "a"]
    ]
  },
  MIN: { doc: "The least value.", arity: [1, 1], role: "aggregate", render: call("min"), golden: [["MIN('a')", "a"]] },
  SUM: {
    doc: "The sum, of integers without rounding; NULL of no values.",
    arity: [1, 1],
    role: "aggregate",
    render: call("sum"),
    golden: [
      ["SUM(NULL::NUMBER(38,0))", null],
      ["SUM(9223372036854775807::NUMBER(19,0))", "9223372036854775807"]
    ]
  },
  MAX_BY: {
    doc: "The first argument of the row whose second is greatest, NULL if it is NULL there; rows whose second is NULL are left out.",
    arity: [2, 2],
    role: "aggregate",
    render: call("arg_max_null"),
    golden: [
      ["MAX_BY('a', 1)", "a"],
      ["MAX_BY(NULL::VARCHAR, 1)", null],
      ["MAX_BY('a', NULL::NUMBER(38,0))", null]
    ]
  },
  MIN_BY: {
    doc: "As MAX_BY, of the least.",
    arity: [2, 2],
    role: "aggregate",
    render: call("arg_min_null"),
    golden: [["MIN_BY('a', 1)", "a"]]
  },
  LAG: {
    doc: "The value of the row before in its partition; NULL in the first.",
    arity: [1, 1],
    role: "window",
    render: call("lag"),
    golden: [["LAG(1) OVER (ORDER BY 1)", null]]
  },
  LEAD: {
    doc: "The value of the row behind in its partition; NULL in the last.",
    arity: [1, 1],
    role: "window",
    render: call("lead"),
    golden: [["LEAD(1) OVER (ORDER BY 1)", null]]
  },
  RANK: {
    doc: "One more than the rows before in the order; equal rows have one rank.",
    arity: [0, 0],
    role: "window",
    render: call("rank"),
    golden: [["RANK() OVER (ORDER BY 1)", "1"]]
  },
  ROW_NUMBER: {
    doc: "Number of the row in its partition, from 1.",
    arity: [0, 0],
    role: "window",
    render: call("row_number"),
    golden: [["ROW_NUMBER() OVER (ORDER BY 1)", "1"]]
  }
}
