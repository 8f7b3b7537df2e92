import { createHash, randomUUID } from "node:crypto"
import { createReadStream } from "node:fs"
import * as fs from "node:fs/promises"
import { hostname } from "node:os"
import { dirname, join, resolve } from "node:path"
import { pipeline } from "node:stream/promises"
import { Effect, Layer, Stream } from "effect"
import { ConnectorError, InvalidData, Misconfigured, StorageFull, Unauthorized, Unavailable } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
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

/** Folders known to be synced into their parents; forgotten beyond this number, which costs only another sync. */
const knownFoldersMax = 10_000

interface Folder {
  readonly root: string
  readonly temporary: string
  readonly known: Set<string>
}

const make = Effect.fnUntraced(function* (root: string) {
  const folder: Folder = { root, temporary: join(root, ".temporary"), known: new Set() }
  const verified = new Map<string, string>()
  yield* attempt("open", root, () => fs.mkdir(folder.temporary, { recursive: true }))
  yield* attempt("open", root, () => syncFolder(root))
  yield* attempt("open", root, () => removeAbandoned(folder.temporary))

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
      Stream.fromAsyncIterable(walk(root, "", prefix, after), (cause) => failure("list", prefix, cause)),
    remove: Effect.fn("FolderStore.remove")(function* (key) {
      yield* ObjectKey.check(key)
      yield* attempt("remove", key, () => orAbsent(fs.unlink(join(root, key))))
      yield* step("object.removed")
      yield* attempt("remove", key, () => removeEmpty(folder, dirname(key)))
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
  // The process is part of the name, so that what a killed one left is recognised without a clock.
  const temporary = join(folder.temporary, `${hostname()}.${process.pid}.${randomUUID()}`)
  return yield* Effect.gen(function* () {
    yield* attempt("write", key, () => writeSynced(temporary, bytes))
    yield* step("temporary.synced")
    const outcome = yield* attempt("write", key, () => nameFile(folder, temporary, path, name))
    if (outcome === "exists") return outcome
    yield* step("object.named")
    yield* attempt("write", key, () => syncFolder(dirname(path)))
    yield* step("object.synced")
    return outcome
  }).pipe(Effect.ensuring(Effect.ignore(attempt("write", key, () => fs.rm(temporary, { force: true })))))
}, Effect.uninterruptible)

const writeSynced = async (path: string, bytes: Uint8Array): Promise<void> => {
  const file = await fs.open(path, "wx")
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

const nameFile = async (
  folder: Folder,
  temporary: string,
  path: string,
  name: (temporary: string, path: string) => Promise<void>
): Promise<"created" | "exists"> => {
  for (let triesLeft = 5; ; triesLeft--) {
    try {
      await makeFolder(folder, dirname(path))
      await name(temporary, path)
      return "created"
    } catch (error) {
      if (codeOf(error) === "EEXIST") {
        // Whoever created it may not have come to sync the folder; an answer that others act on must be durable.
        await syncFolder(dirname(path))
        return "exists"
      }
      // Another process removed a folder that it found empty.
      if (codeOf(error) !== "ENOENT" || triesLeft === 0) throw error
      folder.known.clear()
    }
  }
}

/** Makes a folder and its ancestors below the root, each synced into its parent. */
const makeFolder = async (folder: Folder, path: string): Promise<void> => {
  if (path === folder.root || folder.known.has(path)) return
  await makeFolder(folder, dirname(path))
  await fs.mkdir(path).catch((error: unknown) => {
    if (codeOf(error) !== "EEXIST") throw error
  })
  await syncFolder(dirname(path))
  if (folder.known.size >= knownFoldersMax) folder.known.clear()
  folder.known.add(path)
}

const syncFolder = async (path: string): Promise<void> => {
  const handle = await fs.open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes a folder and its ancestors below the root as far as they are empty. */
const removeEmpty = async (folder: Folder, key: string): Promise<void> => {
  for (let path = key; path !== "."; path = dirname(path)) {
    try {
      await fs.rmdir(join(folder.root, path))
    } catch (error) {
      if (["ENOTEMPTY", "EEXIST", "ENOENT"].includes(codeOf(error))) return
      throw error
    }
    folder.known.delete(join(folder.root, path))
  }
}

/** Removes temporary files of processes of this host that are gone. A wrong guess makes one write fail, and loses nothing. */
const removeAbandoned = async (temporary: string): Promise<void> => {
  const own = `${hostname()}.`
  for (const name of await fs.readdir(temporary)) {
    const id = name.startsWith(own) ? Number(name.slice(own.length).split(".")[0]) : Number.NaN
    if (Number.isInteger(id) && !isAlive(id)) await fs.rm(join(temporary, name), { force: true })
  }
}

const isAlive = (id: number): boolean => {
  try {
    return process.kill(id, 0)
  } catch (error) {
    return codeOf(error) === "EPERM"
  }
}

/** Files below `folder` in the order of their keys: a folder sorts by its name with the slash that follows it. */
async function* walk(
  root: string,
  folder: string,
  prefix: string,
  after: string
): AsyncGenerator<{ readonly key: string; readonly bytes: number }> {
  const entries = (await orAbsent(fs.readdir(join(root, folder), { withFileTypes: true }))) ?? []
  const keys = entries
    .filter((entry) => !entry.name.startsWith("."))
    .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`)
  for (const key of keys.toSorted((left, right) => (left < right ? -1 : 1))) {
    if (key.endsWith("/")) {
      const isBefore = key <= after && !after.startsWith(key)
      if (!isBefore && (key.startsWith(prefix) || prefix.startsWith(key))) yield* walk(root, key, prefix, after)
    } else if (key > after && key.startsWith(prefix)) {
      const stat = await orAbsent(fs.stat(join(root, key)))
      if (stat !== undefined) yield { key, bytes: stat.size }
    }
  }
}

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

const orAbsent = async <A>(promise: Promise<A>): Promise<A | undefined> => {
  try {
    return await promise
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return undefined
    throw error
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""

const absent = (operation: string, key: string): ConnectorError =>
  invalid(operation, `${key} does not exist`, "Restore the file from a backup of the landing folder, or capture its range again")

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
