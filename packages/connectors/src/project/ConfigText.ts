import type { Column, ColumnType } from "@northstar/core/Column"
import type { Table } from "@northstar/core/Table"
import type { PostgresFeed } from "./Project.ts"

/** What a written configuration says. */
export interface Contents {
  readonly feed: PostgresFeed
  /** Tables that are left out, and why. */
  readonly left: ReadonlyArray<{ readonly source: string; readonly problem: string; readonly action: string }>
  /** Environment variable that holds the source's URL. */
  readonly urlVariable: string
}

/** The text of a `northstar.config.ts`: formatted, type-correct, and without the source's URL. */
export const render = ({
  feed,
  left,
  urlVariable
}: Contents): string => `import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Project from "@northstar/connectors/project/Project"

${left.map(comment).join("")}const tables = [
${feed.tables.map(table).join(",\n")}
]

export default Project.define({
  name: ${text(feed.project.name)},
  sources: [
    Project.postgres({
      // Such as postgres://user:password@host:5432/database, of a role with REPLICATION and SELECT on the tables above.
      url: process.env[${text(urlVariable)}],
      slot: ${text(feed.source.slot)},
      publication: ${text(feed.source.publication)},
      tables
    })
  ],
  landing: Project.folder(".northstar/landing"),
  warehouse: Project.duckdb(".northstar/warehouse.duckdb")
})
`

/** Two comment lines; a name may hold a line break, which would end them. */
const comment = ({ action, problem, source }: Contents["left"][number]): string =>
  `// ${oneLine(source)} is left out: ${oneLine(problem)}.\n// ${oneLine(action)}\n`

const oneLine = (line: string): string => line.replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ")

const table = ({ columns, key, name, source }: Table): string =>
  [
    `  Table.make(${text(name)}, {`,
    ...(source === `public.${name}` ? [] : [`    source: ${text(source)},`]),
    "    columns: {",
    Object.entries(columns)
      .map(([name, column]) => `      ${property(name)}: ${helper(column)}`)
      .join(",\n"),
    "    },",
    `    key: ${list(key)}`,
    "  })"
  ].join("\n")

const helper = (column: Column): string =>
  column.nullable ? `Column.nullable(Column.${plain(column.type)})` : `Column.${plain(column.type)}`

const plain = (type: ColumnType): string =>
  type.kind === "decimal" ? `decimal(${type.precision}, ${type.scale})` : type.kind

/** `__proto__: …` would set the prototype instead of a property. */
const property = (name: string): string => {
  if (name === "__proto__") return `["__proto__"]`
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? name : text(name)
}

const widthMax = 120

const list = (names: ReadonlyArray<string>): string => {
  const line = `[${names.map(text).join(", ")}]`
  return line.length + "    key: ".length <= widthMax
    ? line
    : `[\n${names.map((name) => `      ${text(name)}`).join(",\n")}\n    ]`
}

/** Escaped as JSON: control characters, quotes and backslashes cannot end the literal. Fewer escapes where it holds only `"`. */
const text = (value: string): string =>
  value.includes('"') && !value.includes("'")
    ? `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"')}'`
    : JSON.stringify(value)
