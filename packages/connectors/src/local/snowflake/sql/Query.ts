import { expression, value, values } from "./Expression.ts"
import { orderBy } from "./FunctionCall.ts"
import { identifier } from "./Names.ts"
import { reservedWords } from "../../../snowflake/ReservedWords.ts"
import { nameOf, type Parsing, read } from "./Parsing.ts"
import { systemView, tableFunction } from "./SystemViews.ts"
import { unsupported } from "./Construct.ts"

/** Reads a query: WITH, SELECT, VALUES, UNION and EXCEPT, ORDER BY and LIMIT. */
export const query = (parsing: Parsing): string => {
  const { reader } = parsing
  const outer = parsing.ctes
  const parts = reader.take("WITH") ? [withOf(parsing)] : []
  parts.push(core(parsing))
  for (;;) {
    const operator = reader.take("UNION")
      ? reader.take("ALL")
        ? "UNION ALL"
        : "UNION"
      : reader.take("MINUS") || reader.take("EXCEPT")
        ? "EXCEPT"
        : undefined
    if (operator === undefined) break
    parts.push(operator, core(parsing))
  }
  if (reader.is("ORDER")) parts.push(orderBy(parsing))
  if (reader.take("LIMIT")) parts.push(`LIMIT ${value(parsing)}`)
  if (reader.take("OFFSET")) parts.push(`OFFSET ${value(parsing)}`)
  parsing.ctes = outer
  return parts.join(" ")
}

const withOf = (parsing: Parsing): string => {
  const { reader } = parsing
  if (reader.is("RECURSIVE")) throw unsupported("recursive queries")
  const all: Array<string> = []
  do {
    const name = nameOf(reader)
    const columns = columnList(parsing)
    reader.expect("AS", "(")
    all.push(`${identifier(name)}${columns} AS (${query(parsing)})`)
    reader.expect(")")
    parsing.ctes = new Set([...parsing.ctes, name])
  } while (reader.take(","))
  return `WITH ${all.join(", ")}`
}

/** `(a, b)` if it comes next. */
const columnList = ({ reader }: Parsing): string => {
  if (!reader.take("(")) return ""
  const names = [identifier(nameOf(reader))]
  while (reader.take(",")) names.push(identifier(nameOf(reader)))
  reader.expect(")")
  return `(${names.join(", ")})`
}

const core = (parsing: Parsing): string => {
  const { reader } = parsing
  if (reader.take("(")) {
    const sql = query(parsing)
    reader.expect(")")
    return `(${sql})`
  }
  if (reader.is("VALUES")) return valuesOf(parsing).sql
  reader.expect("SELECT")
  const distinct = reader.take("DISTINCT") ? "DISTINCT " : (reader.take("ALL"), "")
  const parts = [`SELECT ${distinct}${items(parsing)}`]
  if (reader.take("FROM")) parts.push(`FROM ${from(parsing)}`)
  if (reader.take("WHERE")) parts.push(`WHERE ${value(parsing)}`)
  if (reader.take("GROUP", "BY")) parts.push(`GROUP BY ${reader.take("ALL") ? "ALL" : values(parsing).join(", ")}`)
  if (reader.take("HAVING")) parts.push(`HAVING ${value(parsing)}`)
  if (reader.take("QUALIFY")) parts.push(`QUALIFY ${value(parsing)}`)
  return parts.join(" ")
}

/** `VALUES (…), (…)` with how many columns it has. */
export const valuesOf = (parsing: Parsing): { readonly sql: string; readonly columns: number } => {
  const { reader } = parsing
  reader.expect("VALUES")
  const rows: Array<ReadonlyArray<string>> = []
  do {
    reader.expect("(")
    rows.push(values(parsing))
    reader.expect(")")
  } while (reader.take(","))
  return { sql: `VALUES ${rows.map((row) => `(${row.join(", ")})`).join(", ")}`, columns: rows[0]!.length }
}

const items = (parsing: Parsing): string => {
  const all = [item(parsing)]
  while (parsing.reader.take(",")) all.push(item(parsing))
  return all.join(", ")
}

const item = (parsing: Parsing): string => {
  const { reader } = parsing
  if (reader.take("*")) return `*${exclude(parsing)}`
  if (reader.peek()?.kind === "name" && reader.peek(1)?.text === "." && reader.peek(2)?.text === "*") {
    const table = nameOf(reader)
    reader.expect(".", "*")
    return `${identifier(table)}.*${exclude(parsing)}`
  }
  const start = reader.position
  const { name, row, sql } = expression(parsing)
  if (row !== undefined) throw reader.unexpected()
  const written = reader.textSince(start).toUpperCase()
  return `${sql} AS ${identifier(alias(parsing) ?? name ?? written)}`
}

const exclude = (parsing: Parsing): string => {
  const { reader } = parsing
  if (!reader.take("EXCLUDE")) return ""
  return ` EXCLUDE ${reader.is("(") ? columnList(parsing) : `(${identifier(nameOf(reader))})`}`
}

/** Words that go on with a query after a table or column, and so are no aliases without AS. */
const clauses: ReadonlySet<string> = new Set(
  "ANTI ASOF AT BEFORE CHANGES CONNECT CROSS EXCEPT EXCLUDE FETCH FOR FROM FULL GROUP HAVING INNER INTERSECT INTO JOIN LATERAL LEFT LIMIT MATCH_RECOGNIZE MINUS NATURAL OFFSET ON ORDER PIVOT QUALIFY RENAME REPLACE RIGHT SAMPLE SELECT SEMI SET START TABLESAMPLE UNION UNPIVOT USING VALUES WHEN WHERE WINDOW WITH".split(
    " "
  )
)

/** An alias, with or without AS, if one comes next. */
export const alias = ({ reader }: Parsing): string | undefined => {
  if (reader.take("AS")) return nameOf(reader)
  const token = reader.peek()
  if (token?.kind !== "name" || (!token.quoted && clauses.has(token.text))) return undefined
  return nameOf(reader)
}

/** Reads what follows FROM or USING: tables, subqueries and joins. */
export const from = (parsing: Parsing): string => {
  const { reader } = parsing
  let sql = table(parsing)
  for (;;) {
    if (reader.take(",")) sql += `, ${table(parsing)}`
    else if (reader.take("CROSS", "JOIN")) sql += ` CROSS JOIN ${table(parsing)}`
    else {
      const side = ["LEFT", "RIGHT", "FULL"].find((word) => reader.take(word))
      if (side !== undefined) reader.take("OUTER")
      else if (reader.take("INNER") && !reader.is("JOIN")) throw reader.unexpected()
      if (!reader.take("JOIN")) {
        if (side !== undefined) throw reader.unexpected()
        return sql
      }
      sql += ` ${side ?? "INNER"} JOIN ${table(parsing)} ${condition(parsing)}`
    }
  }
}

const condition = (parsing: Parsing): string => {
  if (parsing.reader.take("USING")) return `USING ${columnList(parsing)}`
  parsing.reader.expect("ON")
  return `ON ${value(parsing)}`
}

/** One table, or subquery, with its alias. */
export const table = (parsing: Parsing): string => {
  const { reader } = parsing
  if (reader.take("TABLE", "(")) {
    const sql = tableFunction(parsing)
    reader.expect(")")
    return `${sql} AS ${identifier(alias(parsing) ?? "TABLE")}`
  }
  if (reader.take("(")) {
    const ofValues = reader.is("VALUES") ? valuesOf(parsing) : undefined
    const sql = ofValues?.sql ?? query(parsing)
    reader.expect(")")
    const name = alias(parsing)
    const columns = columnList(parsing)
    // Columns of VALUES are COLUMN1, COLUMN2, …
    const named =
      columns === "" && ofValues
        ? `(${Array.from({ length: ofValues.columns }, (_, at) => `"COLUMN${at + 1}"`).join(", ")})`
        : columns
    return `(${sql}) AS ${name === undefined ? `"~${reader.position}"` : identifier(name)}${named}`
  }
  return namedTable(parsing)
}

const namedTable = (parsing: Parsing): string => {
  const { reader } = parsing
  const first = reader.peek()
  if (first?.kind !== "name") throw reader.unexpected()
  if (!first.quoted && (clauses.has(first.text) || reservedWords.has(first.text))) throw reader.unexpected()
  if (reader.peek(1)?.text !== "." && parsing.ctes.has(first.text)) {
    const name = identifier(nameOf(reader))
    const other = alias(parsing)
    return other === undefined ? name : `${name} AS ${identifier(other)}`
  }
  const name = reader.objectName()
  const sql = name.schema === "INFORMATION_SCHEMA" ? systemView(name) : read(parsing, name)
  return `${sql} AS ${identifier(alias(parsing) ?? name.name)}${columnList(parsing)}`
}
