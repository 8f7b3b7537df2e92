import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import * as fs from "node:fs/promises"
import { join, resolve } from "node:path"
import type { Readable } from "node:stream"
import { Clock, Duration, Effect, type Scope, Stream } from "effect"
import { ConnectorError, Misconfigured, Unauthorized, Unavailable } from "@northstar/core/ConnectorError"
import { codeOf, Folder, orAbsent } from "../landing/Folder.ts"
import * as S3Failure from "../s3/S3Failure.ts"
import { clientConfig, type S3Options } from "../s3/S3Store.ts"
import type { Bytes } from "./Decode.ts"
import * as Hints from "./Hints.ts"

/** A file as it lies in the drop folder. */
export interface Dropped {
  readonly key: string
  /** Names its content: another content has another version. */
  readonly version: string
  readonly bytes: number
  /** When it was written, Unix milliseconds. */
  readonly modifiedMs: number
}

/** Where partners put their files: a set without order, that others change at any time. */
export interface DropFolder {
  /** For messages. */
  readonly name: string
  /** All files whose keys start with `prefix`. `known` may spare reading a file again whose size and time have not changed. */
  readonly list: (prefix: string, known: (key: string) => Dropped | undefined) => Stream.Stream<Dropped, ConnectorError>
  /** The bytes of exactly this version; reading rejects with `Changed` where the file is another now, or gone. */
  readonly open: (file: Pick<Dropped, "key" | "version">) => Bytes
  /** Waits until somebody tells that it may be worth listing now; only a hint, and for ever where nobody does. */
  readonly hint: Effect.Effect<void, ConnectorError>
  /** What a rejection of `open`'s bytes means. */
  readonly failure: (operation: string, cause: unknown) => ConnectorError
}

/** The file is no longer the one that was discovered. */
export class Changed extends Error {}

/** A file is taken when it has lain unchanged for so long: who writes it may still be at it. */
const settleTime: Duration.Input = "5 seconds"

/** Pieces in which files are read. */
const readBytes = 1 << 18

/** A drop folder on a disk. A file's version is the SHA-256 of its content. Files and folders that start with a dot are left alone. */
export const folder = (options: {
  readonly path: string
  /** 5 seconds by default. */
  readonly settle?: Duration.Input
}): Effect.Effect<DropFolder, ConnectorError> =>
  Effect.gen(function* () {
    const root = resolve(options.path)
    const settleMs = Duration.toMillis(Duration.fromInputUnsafe(options.settle ?? settleTime))
    const stat = yield* Effect.tryPromise({
      try: () => fs.stat(root),
      catch: (cause) => folderFailure("open the drop folder", cause)
    })
    if (!stat.isDirectory()) return yield* folderFailure("open the drop folder", { code: "ENOTDIR" })
    const tree = new Folder(root)
    return {
      name: "folder",
      list: (prefix, known) =>
        Stream.unwrap(
          Effect.map(Clock.currentTimeMillis, (nowMs) =>
            Stream.fromAsyncIterable(settled(tree, prefix, nowMs - settleMs, known), (cause) =>
              folderFailure("list the drop folder", cause)
            )
          )
        ),
      open: ({ key, version }) => contents(join(root, key), version),
      hint: Effect.never,
      failure: folderFailure
    }
  })

async function* settled(
  tree: Folder,
  prefix: string,
  modifiedMaxMs: number,
  known: (key: string) => Dropped | undefined
): AsyncGenerator<Dropped> {
  for await (const { key } of tree.walk(prefix, "")) {
    const path = join(tree.root, key)
    const before = await orAbsent(fs.stat(path))
    if (before === undefined || before.mtimeMs > modifiedMaxMs) continue
    const found = { key, bytes: before.size, modifiedMs: Math.floor(before.mtimeMs) }
    const last = known(key)
    if (last !== undefined && last.bytes === found.bytes && last.modifiedMs === found.modifiedMs) {
      yield last
      continue
    }
    const version = await orAbsent(digest(path))
    const after = await orAbsent(fs.stat(path))
    // Written meanwhile: the next listing sees what becomes of it.
    if (version === undefined || after?.mtimeMs !== before.mtimeMs || after.size !== before.size) continue
    yield { ...found, version }
  }
}

const digest = async (path: string): Promise<string> => {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) hash.update(chunk as Buffer)
  return hash.digest("hex")
}

/** The file's bytes. Only at their end it is known whether they were the version's: nothing of them counts before. */
async function* contents(path: string, version: string): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256")
  const file = await orAbsent(fs.open(path, "r"))
  if (file === undefined) throw new Changed()
  for await (const chunk of file.createReadStream({ highWaterMark: readBytes })) {
    hash.update(chunk as Buffer)
    yield chunk as Buffer
  }
  if (hash.digest("hex") !== version) throw new Changed()
}

const folderFailure = (operation: string, cause: unknown): ConnectorError => {
  const code = codeOf(cause)
  const detail = `a file could not be used (${code === "" ? "unexpected error" : code})`
  const error = (action: string, reason: ConnectorError["reason"]) =>
    new ConnectorError({ connector: "files", operation, detail, action, reason })
  if (code === "EACCES" || code === "EPERM") {
    return error("Give this user the right to read the drop folder", new Unauthorized({ cause }))
  }
  if (code === "ENOENT" || code === "ENOTDIR") {
    return error("Create the drop folder, or correct its path", new Misconfigured({ detail }))
  }
  return error("Check the disk of the drop folder and run again; nothing was lost", new Unavailable({ cause }))
}

/** A bucket that partners write into. */
export interface BucketOptions extends Omit<S3Options, "spool"> {
  /** What all keys start with; the drop folder's own keys are without it. */
  readonly prefix?: string
  /** Queue that the bucket's notifications go to. */
  readonly queueUrl?: string
}

/** How often a body that breaks off is read on from where it broke. */
const resumesMax = 5

/** A drop folder in an S3 bucket. A file's version is its ETag. The AWS SDK is loaded here. */
export const bucket = (options: BucketOptions): Effect.Effect<DropFolder, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const failure = (operation: string, cause: unknown) => S3Failure.from(options.bucket, operation, cause)
    const sdk = yield* Effect.tryPromise({
      try: () => import("@aws-sdk/client-s3"),
      catch: (cause) => failure("load the AWS SDK", cause)
    })
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new sdk.S3Client(clientConfig(options))),
      (client) => Effect.sync(() => client.destroy())
    )
    const base = options.prefix ?? ""
    const hints =
      options.queueUrl === undefined ? undefined : yield* Hints.queue({ ...options, queueUrl: options.queueUrl })
    async function* objects(prefix: string): AsyncGenerator<Dropped> {
      const pages = sdk.paginateListObjectsV2({ client }, { Bucket: options.bucket, Prefix: base + prefix })
      for await (const page of pages) {
        for (const { Key, ETag, Size, LastModified } of page.Contents ?? []) {
          if (Key === undefined || Key.endsWith("/")) continue
          const key = Key.slice(base.length)
          yield { key, version: unquoted(ETag), bytes: Size ?? 0, modifiedMs: LastModified?.getTime() ?? 0 }
        }
      }
    }
    /**
     * The body from a byte on. What the answer says of itself is compared: servers disagree on how `If-Match` is quoted,
     * and some take no notice of it.
     */
    const get = async (key: string, version: string, from: number): Promise<Readable> => {
      const Range = from === 0 ? undefined : `bytes=${from}-`
      const command = new sdk.GetObjectCommand({
        Bucket: options.bucket,
        Key: base + key,
        ...(Range && { Range })
      })
      const { Body, ETag } = await client.send(command).catch((error: unknown) => {
        throw S3Failure.statusOf(error) === 404 ? new Changed() : error
      })
      // Sound: the SDK's body is a Readable in Node.
      if (unquoted(ETag) === version) return Body as Readable
      ;(Body as Readable).destroy()
      throw new Changed()
    }
    async function* bytes({ key, version }: Pick<Dropped, "key" | "version">): AsyncGenerator<Uint8Array> {
      let read = 0
      for (let resumed = 0; ; resumed++) {
        const body = await get(key, version, read)
        try {
          for await (const chunk of body as AsyncIterable<Uint8Array>) {
            read += chunk.length
            yield chunk
          }
          return
        } catch (error) {
          if (resumed === resumesMax) throw error
        }
      }
    }
    return {
      name: "s3",
      list: (prefix) => Stream.fromAsyncIterable(objects(prefix), (cause) => failure(`list ${prefix}`, cause)),
      open: bytes,
      hint: hints?.next ?? Effect.never,
      failure
    }
  })

const unquoted = (etag: string | undefined): string => (etag ?? "").replaceAll('"', "")
