import type { DuckDBMaterializedResult } from "@duckdb/node-api"
import type { Outcome } from "./Engine.ts"
import { counts, statementType } from "./ResultSet.ts"
import type { Dml } from "../Statement.ts"

/** The counts that Snowflake reports for a change: a MERGE those of the clauses it has. */
export const dmlResult = async (statement: Dml, result: DuckDBMaterializedResult): Promise<Outcome> => {
  const rows = result.rowsChanged
  switch (statement.verb) {
    case "INSERT":
      return { table: counts([["number of rows inserted", rows]]), type: statementType.insert, changed: rows }
    case "UPDATE": {
      // An UPDATE whose FROM matches a row several times picks one: that count is not kept here.
      const table = counts([
        ["number of rows updated", rows],
        ["number of multi-joined rows updated", 0]
      ])
      return { table, type: statementType.update, changed: rows }
    }
    case "DELETE":
      return { table: counts([["number of rows deleted", rows]]), type: statementType.delete, changed: rows }
    case "MERGE": {
      const actions = (await result.getRows()).map(([action]) => String(action))
      const clauses = (["INSERT", "UPDATE", "DELETE"] as const).filter((verb) =>
        new RegExp(`\\bTHEN\\s+${verb}\\b`, "i").test(statement.sql)
      )
      const table = counts(
        clauses.map((verb) => [
          `number of rows ${verb.toLowerCase()}${verb === "INSERT" ? "ed" : "d"}`,
          actions.filter((action) => action === verb).length
        ])
      )
      return { table, type: statementType.merge, changed: actions.length }
    }
  }
}
