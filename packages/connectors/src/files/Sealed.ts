import { Effect, Schema } from "effect"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import { seal, unsealed } from "../landing/CommitLog.ts"

/** An object that the source stores for itself, as JSON with its checksum. */
export const bytesOf = (value: object): Uint8Array => new TextEncoder().encode(seal(JSON.stringify(value)))

/** Reads one; bytes that are not those which were written are `InvalidData`. */
export const decode = <A>(
  schema: Schema.Codec<A>,
  key: string,
  bytes: Uint8Array
): Effect.Effect<A, ConnectorError> => {
  const text = unsealed(new TextDecoder().decode(bytes))
  if (text === undefined) return Effect.fail(damaged(`${key} does not have the checksum that it was written with`))
  return Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(text).pipe(
    Effect.mapError(() => damaged(`${key} is not what its name says`))
  )
}

/** The discovery log or something beside it is not what was written. */
export const damaged = (detail: string): ConnectorError =>
  new ConnectorError({
    connector: "files",
    operation: "read discovery log",
    detail,
    action:
      "Restore it from a backup of the landing store; without one raise the source's epoch by one, which reads the drop folder anew",
    reason: new InvalidData({ detail })
  })
