import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import * as fs from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { pipeline } from "node:stream/promises"
import { Effect, Layer, Stream } from "effect"
import {
  ConnectorError,
  InvalidData,
  Misconfigured,
  StorageFull,
  Unauthorized,
  Unavailable
} from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { codeOf, Folder, orAbsent } from "./Folder.ts"
import * as ObjectKey from "./ObjectKey.ts"
import { ObjectStore } from "./ObjectStore.ts"

/**
 * Objects as files below one folder of a local disk, which is created when absent. Any number of processes may use it
 * at once. An object appears under its name only when its bytes are on the disk, and is durable when `put` or `create`
 * returns: file and folders are synced. A removal is not synced: after a power cut a removed object may be there again.
 * Not for network file systems without `link` and `fsync`.
 */
export const layer = (root: string): Layer.Layer<ObjectStore, ConnectorError> =>
  Layer.effect(ObjectStore, make(resolve(root)))

const step = Failpoint.declare("folder", ["temporary.synced", "object.named", "object.synced", "object.removed"])

const make = Effect.fnUntraced(function* (root: string) {
  const folder = new Folder(root)
  const verified = new Map<string, string>()
  yield* attempt("open", root, () => folder.open())

  return ObjectStore.of({
    name: "folder",
    put: (key, bytes) => Effect.asVoid(write(folder, key, bytes, fs.rename)),
    create: (key, bytes) => write(folder, key, bytes, fs.link),
    get: Effect.fn("FolderStore.get")(function* (key) {
      yield* ObjectKey.check(key)
      const bytes = yield* attempt("read", key, () => orAbsent(fs.readFile(join(root, key))))
      return bytes ?? (yield* absent("read", key))
    }),
    local: Effect.fn("FolderStore.local")(function* (object) {
      yield* ObjectKey.check(object.path)
      const path = join(root, object.path)
      yield* verify(verified, path, object)
      return path
    }),
    list: (prefix, after = "") =>
      Stream.fromAsyncIterable(folder.walk(prefix, after), (cause) => failure("list", prefix, cause)),
    remove: Effect.fn("FolderStore.remove")(function* (key) {
      yield* ObjectKey.check(key)
      yield* attempt("remove", key, () => orAbsent(fs.unlink(join(root, key))))
      yield* step("object.removed")
      yield* attempt("remove", key, () => folder.removeEmpty(dirname(key)))
    })
  })
})

/** Temporary file, sync, name, sync of the folder. `link` fails where the name is taken, `rename` replaces. */
const write = Effect.fn("FolderStore.write")(function* (
  folder: Folder,
  key: string,
  bytes: Uint8Array,
  name: (temporary: string, path: string) => Promise<void>
) {
  yield* ObjectKey.check(key)
  const path = join(folder.root, key)
  const temporary = folder.temporaryPath()
  return yield* Effect.gen(function* () {
    yield* attempt("write", key, () => folder.writeSynced(temporary, bytes))
    yield* step("temporary.synced")
    const outcome = yield* attempt("write", key, () => folder.nameFile(path, () => name(temporary, path)))
    if (outcome === "created") yield* step("object.named")
    // Whoever created an existing one may not have come to sync the folder; an answer that others act on is durable.
    yield* attempt("write", key, () => folder.sync(dirname(path)))
    if (outcome === "created") yield* step("object.synced")
    return outcome
  }).pipe(Effect.ensuring(Effect.ignore(attempt("write", key, () => fs.rm(temporary, { force: true })))))
}, Effect.uninterruptible)

/** Compares the file's digest; once per process for a file that has not changed since. */
const verify = Effect.fnUntraced(function* (
  verified: Map<string, string>,
  path: string,
  object: { readonly path: string; readonly sha256: string }
) {
  const stat = yield* attempt("read", object.path, () => orAbsent(fs.stat(path, { bigint: true })))
  if (stat === undefined) return yield* absent("read", object.path)
  const state = `${object.sha256} ${stat.ino} ${stat.size} ${stat.mtimeNs}`
  if (verified.get(path) === state) return
  const digest = yield* attempt("read", object.path, async () => {
    const hash = createHash("sha256")
    await pipeline(createReadStream(path), hash)
    return hash.digest("hex")
  })
  if (digest !== object.sha256) return yield* damaged("read", object.path)
  if (verified.size >= verifiedMax) verified.clear()
  verified.set(path, state)
})

/** Files whose digest is remembered at most; forgetting costs only another reading. */
const verifiedMax = 10_000

const attempt = <A>(operation: string, key: string, run: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({ try: run, catch: (cause) => failure(operation, key, cause) })

const absent = (operation: string, key: string): ConnectorError =>
  invalid(
    operation,
    `${key} does not exist`,
    "Restore the file from a backup of the landing folder, or capture its range again"
  )

const damaged = (operation: string, key: string): ConnectorError =>
  invalid(
    operation,
    `${key} is damaged: its bytes do not have the checksum of its commit record`,
    "Restore the file from a backup of the landing folder, or capture its range again; check the disk"
  )

const invalid = (operation: string, detail: string, action: string): ConnectorError =>
  new ConnectorError({ connector: "folder", operation, detail, action, reason: new InvalidData({ detail }) })

const failure = (operation: string, key: string, cause: unknown): ConnectorError => {
  const code = codeOf(cause)
  const detail = `${key} could not be used (${code === "" ? "unexpected error" : code})`
  const error = (action: string, reason: ConnectorError["reason"]) =>
    new ConnectorError({ connector: "folder", operation, detail, action, reason })
  if (code === "ENOSPC" || code === "EDQUOT") {
    return error("Free space on the landing folder's disk and run again; nothing was lost", new StorageFull({ cause }))
  }
  if (code === "EACCES" || code === "EPERM") {
    return error("Give this user read and write permission on the landing folder", new Unauthorized({ cause }))
  }
  if (["EROFS", "ENOTDIR", "EISDIR", "ENOTSUP", "ENAMETOOLONG"].includes(code)) {
    return error("Choose a folder on a local, writable disk as landing folder", new Misconfigured({ detail }))
  }
  return error("Check the disk of the landing folder and run again; nothing was lost", new Unavailable({ cause }))
}
