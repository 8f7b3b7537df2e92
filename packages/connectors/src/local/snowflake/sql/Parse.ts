import { alter } from "./Alteration.ts"
import { insert, merge, remove, update } from "./Change.ts"
import { create, drop, truncate } from "./Definition.ts"
import { copy } from "./Loading.ts"
import { type Bindings, type Parsing, start } from "./Parsing.ts"
import { query } from "./Query.ts"
import { alterSession, transaction, use } from "./Setting.ts"
import type { SessionState, Statement } from "../Statement.ts"

/**
 * Reads one statement of Snowflake's SQL against a session and renders it for DuckDB. What is not on the allowlist is
 * refused with Snowflake's error.
 */
export const parse = (sql: string, bindings: Bindings, session: SessionState): Statement => {
  const parsing = start(sql, bindings, session)
  const statement = read(parsing)
  if (statement._tag !== "Account") parsing.reader.end()
  return statement
}

const read = (parsing: Parsing): Statement => {
  const { reader } = parsing
  const account: Statement = { _tag: "Account", tokens: parsing.tokens }
  switch (reader.peek()?.text) {
    case "SELECT":
    case "WITH":
    case "VALUES":
    case "(":
      return { _tag: "Query", sql: query(parsing), reads: [...parsing.reads.values()] }
    case "INSERT":
      return insert(parsing)
    case "UPDATE":
      return update(parsing)
    case "DELETE":
      return remove(parsing)
    case "MERGE":
      return merge(parsing)
    case "COPY":
      return copy(parsing)
    case "CREATE":
      return create(parsing) ?? account
    case "DROP":
      return drop(parsing) ?? account
    case "ALTER":
      return reader.is("ALTER", "SESSION") ? alterSession(parsing) : (alter(parsing) ?? account)
    case "TRUNCATE":
      return truncate(parsing)
    case "BEGIN":
    case "START":
    case "COMMIT":
    case "ROLLBACK":
      return transaction(parsing)
    case "USE":
      return use(parsing)
    case "SHOW":
    case "DESCRIBE":
    case "DESC":
    case "LIST":
    case "LS":
    case "GRANT":
    case "REVOKE":
      return account
    default:
      throw reader.unexpected()
  }
}
