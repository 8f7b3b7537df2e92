import type { Parsing } from "./Parsing.ts"
import type { Statement } from "../Statement.ts"

type Of<Tag> = Extract<Statement, { readonly _tag: Tag }>

/** BEGIN, START TRANSACTION, COMMIT and ROLLBACK; BEGIN with anything behind it is scripting, and refused. */
export const transaction = ({ reader }: Parsing): Of<"Transaction"> => {
  const verb = reader.take("START") ? "START" : reader.oneOf("BEGIN", "COMMIT", "ROLLBACK")
  if (verb === "START") reader.expect("TRANSACTION")
  else if (verb !== "BEGIN" || !reader.take("TRANSACTION")) reader.take("WORK")
  if (verb === "BEGIN" && reader.take("NAME")) reader.name()
  return { _tag: "Transaction", verb: verb === "START" ? "BEGIN" : verb }
}

/** USE ROLE, WAREHOUSE, DATABASE or SCHEMA. */
export const use = ({ reader }: Parsing): Of<"Session"> => {
  reader.expect("USE")
  const what = reader.oneOf("ROLE", "WAREHOUSE", "DATABASE", "SCHEMA")
  if (what !== "SCHEMA") return { _tag: "Session", verb: "USE", set: new Map([[what, reader.name()]]) }
  const { database, schema } = reader.schemaName()
  return {
    _tag: "Session",
    verb: "USE",
    set: new Map([
      ["DATABASE", database],
      ["SCHEMA", schema]
    ])
  }
}

/** ALTER SESSION SET name = value … or UNSET name, …. */
export const alterSession = ({ reader }: Parsing): Of<"Session"> => {
  reader.expect("ALTER", "SESSION")
  const verb = reader.oneOf("SET", "UNSET")
  const set = new Map<string, string>()
  do {
    const name = reader.name()
    if (verb === "SET") reader.expect("=")
    set.set(name, verb === "SET" ? setting(reader) : "")
    reader.take(",")
  } while (!reader.atEnd)
  return { _tag: "Session", verb, set }
}

const setting = (reader: Parsing["reader"]): string => {
  const token = reader.next()
  if (token.kind === "symbol") throw reader.unexpected()
  return token.text
}
