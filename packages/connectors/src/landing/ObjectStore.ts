import { Context, type Effect, type Scope, type Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"

/** Immutable objects by key (`a/b/c`), on a folder or in a bucket. Nothing is ever overwritten. */
export class ObjectStore extends Context.Service<
  ObjectStore,
  {
    /** `folder` or `s3`, for messages. */
    readonly name: string
    /** Durable when it returns. An object of that key is replaced only by an identical retry of its writer: keys hold a run's id. */
    readonly put: (key: string, bytes: Uint8Array) => Effect.Effect<void, ConnectorError>
    /** Creates the object, durable when it returns, or says that the key is taken. Of any number of racing creators exactly one gets `"created"`. */
    readonly create: (key: string, bytes: Uint8Array) => Effect.Effect<"created" | "exists", ConnectorError>
    /** The whole object; a missing one is `InvalidData`. For records: at most a few MB. */
    readonly get: (key: string) => Effect.Effect<Uint8Array, ConnectorError>
    /** A path of this machine that holds exactly the object's bytes, checked against `sha256`, until the scope closes. */
    readonly local: (object: {
      readonly path: string
      readonly sha256: string
    }) => Effect.Effect<string, ConnectorError, Scope.Scope>
    /** Keys that start with `prefix` and come after `after` in ascending byte order, with sizes in bytes. */
    readonly list: (
      prefix: string,
      after?: string
    ) => Stream.Stream<{ readonly key: string; readonly bytes: number }, ConnectorError>
    /** Removes an object; removing an absent one succeeds. */
    readonly remove: (key: string) => Effect.Effect<void, ConnectorError>
  }
>()("@northstar/connectors/ObjectStore") {}
