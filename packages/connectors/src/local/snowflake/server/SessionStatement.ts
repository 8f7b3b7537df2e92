import type { Outcome } from "../engine/Engine.ts"
import { run } from "../engine/Execution.ts"
import { checkParameter, parameter } from "./Parameters.ts"
import { message, statementType } from "../engine/ResultSet.ts"
import type { Session } from "./Session.ts"
import type { Statement } from "../Statement.ts"

/** Runs USE, ALTER SESSION SET or UNSET. */
export const set = async (session: Session, statement: Extract<Statement, { _tag: "Session" }>): Promise<Outcome> => {
  const { parameters } = session.state
  for (const [name, value] of statement.set) {
    if (statement.verb === "USE") use(session, name, value)
    else if (statement.verb === "UNSET") parameters.delete(name)
    else {
      checkParameter(name, value)
      parameters.set(name, value)
    }
    if (name === "TIMEZONE") await setTimeZone(session)
  }
  return { table: message("Statement executed successfully."), type: statementType.session }
}

/** Gives DuckDB the session's time zone. */
export const setTimeZone = async (session: Session): Promise<void> => {
  const zone = parameter(session.state.parameters, "TIMEZONE").replaceAll("'", "''")
  await run(session.connection, `SET TimeZone = '${zone}'`, new AbortController().signal)
}

const use = ({ state }: Session, name: string, value: string): void => {
  if (name === "ROLE") state.role = value
  else if (name === "WAREHOUSE") state.warehouse = value
  else if (name === "SCHEMA") state.schema = value
  else if (name === "DATABASE") {
    state.database = value
    state.schema = "PUBLIC"
  }
}
