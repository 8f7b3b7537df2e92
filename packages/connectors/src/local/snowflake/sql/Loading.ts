import { unsupported } from "./Construct.ts"
import { expression } from "./Expression.ts"
import type { Parsing } from "./Parsing.ts"
import { alias } from "./Query.ts"
import type { Copy, ObjectName } from "../Statement.ts"

/** COPY INTO a table from Parquet files of a stage, named one by one. Options that change what is loaded are refused. */
export const copy = (parsing: Parsing): Copy => {
  const { reader } = parsing
  reader.expect("COPY", "INTO")
  if (reader.is("@") || reader.peek()?.kind === "string") throw unsupported("COPY into a location")
  const target = reader.objectName()
  const columns = columnsOf(parsing)
  reader.expect("FROM", "(", "SELECT")
  const select = transformation(parsing)
  reader.expect("FROM")
  const { path, stage } = location(parsing)
  alias(parsing)
  reader.expect(")")
  if (columns.length > 0 && columns.length !== select.length) throw reader.unexpected()
  return { _tag: "Copy", target, columns, stage, path, select, ...options(parsing) }
}

const columnsOf = ({ reader }: Parsing): ReadonlyArray<string> => {
  if (!reader.take("(")) return []
  const all = [reader.name()]
  while (reader.take(",")) all.push(reader.name())
  reader.expect(")")
  return all
}

const transformation = (parsing: Parsing): ReadonlyArray<string> => {
  parsing.ofFile = true
  const all = [expression(parsing).sql]
  while (parsing.reader.take(",")) all.push(expression(parsing).sql)
  parsing.ofFile = false
  return all
}

const location = ({ reader }: Parsing): { readonly stage: ObjectName; readonly path: string } => {
  reader.expect("@")
  const stage = reader.objectName()
  const path = reader.peek()?.kind === "string" ? reader.string().slice(1) : ""
  return { stage, path: path === "" || path.endsWith("/") ? path : `${path}/` }
}

const options = (parsing: Parsing): Pick<Copy, "files" | "format" | "onError" | "force"> => {
  const { reader } = parsing
  let files: ReadonlyArray<string> = []
  let isParquet = false
  let force = false
  while (!reader.atEnd) {
    if (reader.take("FILES", "=")) files = fileList(parsing)
    else if (reader.take("FILE_FORMAT", "=")) isParquet = fileFormat(parsing)
    else if (reader.take("FORCE", "=")) force = reader.oneOf("TRUE", "FALSE") === "TRUE"
    else if (reader.take("ON_ERROR", "=")) onError(parsing)
    else throw unsupported(`the COPY option ${reader.peek()?.text}`)
  }
  if (!isParquet) throw unsupported("COPY without FILE_FORMAT")
  return { files, format: "PARQUET", onError: "ABORT_STATEMENT", force }
}

const fileList = ({ reader }: Parsing): ReadonlyArray<string> => {
  reader.expect("(")
  const all = [reader.string()]
  while (reader.take(",")) all.push(reader.string())
  reader.expect(")")
  return all
}

/** The account knows what a named format is: of stages of segments there is one, Parquet. */
const fileFormat = ({ reader }: Parsing): true => {
  reader.expect("(")
  if (reader.take("FORMAT_NAME", "=")) {
    if (reader.peek()?.kind === "string") reader.string()
    else reader.objectName()
  } else {
    reader.expect("TYPE", "=")
    const format = reader.peek()?.kind === "string" ? reader.string().toUpperCase() : reader.name()
    if (format !== "PARQUET") throw unsupported(`COPY of ${format} files`)
    // By default the text `\\N` is NULL.
    if (reader.take("NULL_IF", "=")) reader.expect("(", ")")
  }
  reader.expect(")")
  return true
}

const onError = ({ reader }: Parsing): void => {
  const action = reader.peek()?.kind === "string" ? reader.string().toUpperCase() : reader.name()
  if (action !== "ABORT_STATEMENT") throw unsupported(`ON_ERROR = ${action}`)
}
