import { Effect, Layer, Stream } from "effect"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"

/** Objects in this process's memory. */
export const memoryStore = Layer.sync(ObjectStore, () => {
  const objects = new Map<string, Uint8Array>()
  const absent = (key: string) => {
    const detail = `${key} does not exist`
    return new ConnectorError({
      connector: "memory",
      operation: "get",
      detail,
      action: "",
      reason: new InvalidData({ detail })
    })
  }
  return ObjectStore.of({
    name: "memory",
    put: (key, bytes) => Effect.sync(() => void objects.set(key, Uint8Array.from(bytes))),
    create: (key, bytes) =>
      Effect.sync(() => {
        if (objects.has(key)) return "exists"
        objects.set(key, Uint8Array.from(bytes))
        return "created"
      }),
    get: (key) =>
      Effect.suspend(() => {
        const bytes = objects.get(key)
        return bytes === undefined ? Effect.fail(absent(key)) : Effect.succeed(bytes)
      }),
    local: ({ path }) => Effect.fail(absent(path)),
    list: (prefix, after = "") =>
      Stream.suspend(() =>
        Stream.fromIterable(
          [...objects]
            .filter(([key]) => key.startsWith(prefix) && key > after)
            .map(([key, bytes]) => ({ key, bytes: bytes.length }))
            .toSorted((left, right) => (left.key < right.key ? -1 : 1))
        )
      ),
    remove: (key) => Effect.sync(() => void objects.delete(key))
  })
})
