import { type Call, record, reply, success } from "./HttpCall.ts"
import { clientParameters } from "./Parameters.ts"
import type { Server } from "./Server.ts"
import type { Session } from "./Session.ts"
import { SnowflakeError } from "../Statement.ts"

/** Opens a session for a key-pair token; other ways to log in are refused. */
export const login = async ({ server, url, body, response }: Call): Promise<void> => {
  const data = record(body["data"])
  if (data["AUTHENTICATOR"] !== "SNOWFLAKE_JWT") {
    throw new SnowflakeError("390100", "08001", "Incorrect username or password was specified.")
  }
  const parameter = (name: string): string | undefined => url.searchParams.get(name) ?? undefined
  const session = await server.sessions.login({
    user: String(data["LOGIN_NAME"]),
    token: String(data["TOKEN"]),
    role: parameter("roleName"),
    warehouse: parameter("warehouse"),
    database: parameter("databaseName"),
    schema: parameter("schemaName"),
    parameters: record(data["SESSION_PARAMETERS"])
  })
  const { state } = session
  reply(
    response,
    success({
      ...tokens(server, session),
      sessionId: Number(state.id),
      displayUserName: state.user,
      parameters: clientParameters(state.parameters),
      sessionInfo: {
        databaseName: state.database ?? null,
        schemaName: state.schema ?? null,
        warehouseName: state.warehouse ?? null,
        roleName: state.role
      }
    })
  )
}

/** Answers a master token with a new session token. */
export const renew = async ({ server, token, response }: Call): Promise<void> => {
  const session = server.sessions.renew(token)
  const { token: sessionToken, validityInSeconds, ...rest } = tokens(server, session)
  reply(
    response,
    success({
      ...rest,
      sessionToken,
      validityInSecondsST: validityInSeconds,
      validityInSecondsMT: rest.masterValidityInSeconds,
      sessionId: Number(session.state.id)
    })
  )
}

const tokens = (server: Server, session: Session) => {
  const nowMs = server.account.nowMs()
  return {
    token: session.token,
    masterToken: session.masterToken,
    validityInSeconds: Math.round((session.expiresMs - nowMs) / 1000),
    masterValidityInSeconds: Math.round((session.masterExpiresMs - nowMs) / 1000)
  }
}
