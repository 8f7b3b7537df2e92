import { unsupported } from "./Construct.ts"
import { value, values } from "./Expression.ts"
import { identifier } from "./Names.ts"
import { locate, nameOf, type Parsing } from "./Parsing.ts"
import { alias, from, query, table, valuesOf } from "./Query.ts"
import type { Dml, ObjectName } from "../Statement.ts"

/** INSERT INTO … SELECT or VALUES. */
export const insert = (parsing: Parsing): Dml => {
  const { reader } = parsing
  reader.expect("INSERT", "INTO")
  const target = reader.objectName()
  const columns = names(parsing)
  const source = reader.is("VALUES") ? valuesOf(parsing).sql : query(parsing)
  return dml(parsing, "INSERT", target, `INSERT INTO ${locate(parsing, target)}${columns} ${source}`)
}

/** `(a, b)` if it comes next. */
const names = ({ reader }: Parsing): string => {
  if (!reader.is("(") || reader.peek(1)?.kind !== "name" || reader.is("(", "SELECT") || reader.is("(", "WITH"))
    return ""
  reader.expect("(")
  const all = [identifier(nameOf(reader))]
  while (reader.take(",")) all.push(identifier(nameOf(reader)))
  reader.expect(")")
  return ` (${all.join(", ")})`
}

/** UPDATE … SET … [FROM …] [WHERE …]. A row that FROM matches several times takes one of the matches. */
export const update = (parsing: Parsing): Dml => {
  const { reader } = parsing
  reader.expect("UPDATE")
  const target = reader.objectName()
  const named = targetAs(parsing, target)
  reader.expect("SET")
  const set = assignments(parsing)
  const tables = reader.take("FROM") ? ` FROM ${from(parsing)}` : ""
  const where = reader.take("WHERE") ? value(parsing) : "true"
  const base = dml(parsing, "UPDATE", target, `UPDATE ${named} SET ${set}${tables} WHERE ${where}`)
  return tables === "" ? { ...base, update: { target: named, set, where } } : base
}

const assignments = (parsing: Parsing): string => {
  const { reader } = parsing
  const all: Array<string> = []
  do {
    const column = identifier(nameOf(reader))
    reader.expect("=")
    all.push(`${column} = ${value(parsing)}`)
  } while (reader.take(","))
  return all.join(", ")
}

const targetAs = (parsing: Parsing, target: ObjectName): string =>
  `${locate(parsing, target)} AS ${identifier(alias(parsing) ?? target.name)}`

/** DELETE FROM … [USING …] [WHERE …]. */
export const remove = (parsing: Parsing): Dml => {
  const { reader } = parsing
  reader.expect("DELETE", "FROM")
  const target = reader.objectName()
  const named = targetAs(parsing, target)
  const tables = reader.take("USING") ? ` USING ${from(parsing)}` : ""
  const where = reader.take("WHERE") ? ` WHERE ${value(parsing)}` : ""
  return dml(parsing, "DELETE", target, `DELETE FROM ${named}${tables}${where}`)
}

/** A WHEN clause of MERGE. */
interface Clause {
  readonly kind: "UPDATE" | "DELETE" | "INSERT"
  readonly condition: string
  readonly sql: string
}

/** MERGE INTO … USING … ON … with any number of clauses; the first that applies to a row acts. */
export const merge = (parsing: Parsing): Dml => {
  const { reader } = parsing
  reader.expect("MERGE", "INTO")
  const target = reader.objectName()
  const name = alias(parsing) ?? target.name
  const named = `${locate(parsing, target)} AS ${identifier(name)}`
  reader.expect("USING")
  const source = table(parsing)
  reader.expect("ON")
  const on = value(parsing)
  const clauses: Array<Clause> = []
  while (reader.take("WHEN")) clauses.push(clause(parsing))
  if (clauses.length === 0) throw reader.unexpected()
  const sql = `MERGE INTO ${named} USING ${source} ON (${on}) ${clauses.map((each) => each.sql).join(" ")}`
  return { ...dml(parsing, "MERGE", target, sql), duplicates: duplicates(named, name, source, on, clauses) }
}

const clause = (parsing: Parsing): Clause => {
  const { reader } = parsing
  const isMatched = !reader.take("NOT")
  reader.expect("MATCHED")
  const condition = reader.take("AND") ? value(parsing) : "true"
  reader.expect("THEN")
  const when = `WHEN ${isMatched ? "" : "NOT "}MATCHED AND ${condition} THEN`
  if (!isMatched) return { kind: "INSERT", condition, sql: `${when} ${mergeInsert(parsing)}` }
  if (reader.take("DELETE")) return { kind: "DELETE", condition, sql: `${when} DELETE` }
  reader.expect("UPDATE", "SET")
  return { kind: "UPDATE", condition, sql: `${when} UPDATE SET ${assignments(parsing)}` }
}

const mergeInsert = (parsing: Parsing): string => {
  const { reader } = parsing
  reader.expect("INSERT")
  const columns = names(parsing)
  if (columns === "") throw unsupported("MERGE with INSERT without columns")
  reader.expect("VALUES", "(")
  const list = values(parsing)
  reader.expect(")")
  return `INSERT${columns} VALUES (${list.join(", ")})`
}

/**
 * Rows exactly where the outcome would not be determined: several source rows act on one target row, and one of them
 * updates it. Several that all delete it are no error.
 */
const duplicates = (
  named: string,
  name: string,
  source: string,
  on: string,
  clauses: ReadonlyArray<Clause>
): string => {
  const acting = clauses.filter(({ kind }) => kind !== "INSERT")
  if (acting.length === 0) return "SELECT 1 WHERE false"
  const updates = acting.map(({ condition, kind }) => `WHEN ${condition} THEN ${kind === "UPDATE" ? 1 : 0}`)
  return `SELECT 1 FROM (SELECT ${identifier(name)}.rowid AS "~row", CASE ${updates.join(" ")} END AS "~updates" FROM ${named} JOIN ${source} ON ${on}) AS "~"
    WHERE "~updates" IS NOT NULL GROUP BY "~row" HAVING count(*) > 1 AND max("~updates") = 1 LIMIT 1`
}

const dml = (parsing: Parsing, verb: Dml["verb"], target: ObjectName, sql: string): Dml => ({
  _tag: "Dml",
  verb,
  target,
  sql,
  reads: [...parsing.reads.values()]
})
