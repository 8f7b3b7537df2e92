import { type Constructs, quote } from "./Construct.ts"

/** What the session is. */
export const sessionFunctions: Constructs = {
  CURRENT_DATABASE: {
    doc: "The session's database; NULL if none is selected.",
    arity: [0, 0],
    render: (_, { database }) => nullable(database),
    golden: [["CURRENT_DATABASE()", "DB"]]
  },
  CURRENT_ROLE: {
    doc: "The session's primary role.",
    arity: [0, 0],
    render: (_, { role }) => quote(role),
    golden: [["CURRENT_ROLE()", "PUBLISHER"]]
  },
  CURRENT_SCHEMA: {
    doc: "The session's schema; NULL if none is selected.",
    arity: [0, 0],
    render: (_, { schema }) => nullable(schema),
    golden: [["CURRENT_SCHEMA()", "PUBLIC"]]
  },
  CURRENT_SESSION: {
    doc: "The session's id.",
    arity: [0, 0],
    render: (_, { id }) => quote(id),
    golden: [["CURRENT_SESSION()", "1"]]
  },
  CURRENT_USER: {
    doc: "The session's user.",
    arity: [0, 0],
    render: (_, { user }) => quote(user),
    golden: [["CURRENT_USER()", "LOADER"]]
  },
  CURRENT_WAREHOUSE: {
    doc: "The session's warehouse; NULL if none is selected.",
    arity: [0, 0],
    render: (_, { warehouse }) => nullable(warehouse),
    golden: [["CURRENT_WAREHOUSE()", null]]
  }
}

const nullable = (text: string | undefined): string => (text === undefined ? "NULL" : quote(text))
