import { createHash, randomUUID } from "node:crypto"
import { createWriteStream } from "node:fs"
import * as fs from "node:fs/promises"
import { join, resolve } from "node:path"
import { type Readable, Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3"
import { Effect, Layer, Option, Redacted, Schedule, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import * as ObjectKey from "../landing/ObjectKey.ts"
import { ObjectStore } from "../landing/ObjectStore.ts"
import * as S3Failure from "./S3Failure.ts"

/** Where a bucket is and how to reach it. */
export interface S3Options {
  readonly bucket: string
  readonly region: string
  /** Folder of this machine for copies of objects while they are read. */
  readonly spool: string
  /** Of another server than AWS, such as `http://127.0.0.1:8000`. */
  readonly endpoint?: string
  /** `true` puts the bucket into the path instead of the host name, as servers without wildcard DNS need it. */
  readonly forcePathStyle?: boolean
  /** Without them the AWS SDK looks where it always does: environment, profile, task role. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: Redacted.Redacted }
}

/** Attempts of the SDK at one request, with its own backoff; above it only the pipeline retries. */
const attemptsMax = 4

/** The SDK waits so long for a connection, and for the next bytes of an answer. */
const timeoutsMs = { connectionTimeout: 5_000, requestTimeout: 30_000 }

const step = Failpoint.declare("s3", ["object.stored", "object.created", "object.removed"])

type Sdk = typeof import("@aws-sdk/client-s3")

interface Bucket {
  readonly name: string
  readonly sdk: Sdk
  readonly client: S3Client
  readonly spool: string
}

/**
 * Objects in an S3 bucket. `create` relies on `If-None-Match: *`, which AWS has and other servers may silently ignore:
 * a bucket that takes two creators of one key must not be used. The AWS SDK is loaded here, so that users of a folder
 * never load it.
 */
export const layer = (options: S3Options): Layer.Layer<ObjectStore, ConnectorError> =>
  Layer.effect(ObjectStore, make(options))

const make = Effect.fnUntraced(function* (options: S3Options) {
  const { bucket: name, spool } = options
  const sdk = yield* attempt(name, "load the AWS SDK", () => import("@aws-sdk/client-s3"))
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new sdk.S3Client(clientConfig(options))),
    (client) => Effect.sync(() => client.destroy())
  )
  yield* attempt(name, "make the spool folder", () => fs.mkdir(spool, { recursive: true }))
  const bucket: Bucket = { name, sdk, client, spool: resolve(spool) }
  return ObjectStore.of({
    name: "s3",
    put: Effect.fn("S3Store.put")(function* (key, bytes) {
      yield* ObjectKey.check(key)
      const command = new sdk.PutObjectCommand({ Bucket: name, Key: key, Body: bytes })
      yield* attempt(name, `write ${key}`, (abortSignal) => client.send(command, { abortSignal }))
      yield* step("object.stored")
    }),
    create: (key, bytes) => create(bucket, key, bytes),
    get: Effect.fn("S3Store.get")(function* (key) {
      yield* ObjectKey.check(key)
      return yield* attempt(name, `read ${key}`, async (abortSignal) => {
        const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: name, Key: key }), { abortSignal })
        return Body === undefined ? new Uint8Array() : await Body.transformToByteArray()
      })
    }),
    local: (object) => local(bucket, object),
    list: (prefix, after) => list(bucket, prefix, after),
    remove: Effect.fn("S3Store.remove")(function* (key) {
      yield* ObjectKey.check(key)
      const command = new sdk.DeleteObjectCommand({ Bucket: name, Key: key })
      yield* attempt(name, `remove ${key}`, (abortSignal) => client.send(command, { abortSignal }))
      yield* step("object.removed")
    })
  })
})

/** How the AWS SDK is set up for a bucket. */
export const clientConfig = ({
  region,
  endpoint,
  forcePathStyle,
  credentials
}: Omit<S3Options, "spool">): S3ClientConfig => ({
  region,
  ...(endpoint === undefined ? {} : { endpoint }),
  forcePathStyle: forcePathStyle ?? false,
  ...(credentials === undefined
    ? {}
    : {
        credentials: {
          accessKeyId: credentials.accessKeyId,
          secretAccessKey: Redacted.value(credentials.secretAccessKey)
        }
      }),
  maxAttempts: attemptsMax,
  // Other servers than AWS do not know the newer checksums; ours are in the commit records.
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
  requestHandler: timeoutsMs
})

/** 412 says that the key is taken; 409 that another request on it was under way, which AWS asks to repeat. */
const create = Effect.fn("S3Store.create")(function* ({ name, sdk, client }: Bucket, key: string, bytes: Uint8Array) {
  yield* ObjectKey.check(key)
  const command = new sdk.PutObjectCommand({ Bucket: name, Key: key, Body: bytes, IfNoneMatch: "*" })
  const send = Effect.tryPromise({
    try: (abortSignal) => client.send(command, { abortSignal }),
    catch: (cause) => cause
  })
  const outcome = yield* send.pipe(
    Effect.as("created" as const),
    Effect.retry({
      while: (cause) => S3Failure.statusOf(cause) === 409,
      schedule: Schedule.exponential("50 millis"),
      times: 6
    }),
    Effect.catch((cause) =>
      S3Failure.statusOf(cause) === 412
        ? Effect.succeed("exists" as const)
        : Effect.fail(S3Failure.from(name, `create ${key}`, cause))
    )
  )
  if (outcome === "created") yield* step("object.created")
  return outcome
})

/** Copies the object into the spool folder while it checks the bytes as they pass. */
const local = Effect.fn("S3Store.local")(function* (
  { name, sdk, client, spool }: Bucket,
  object: { readonly path: string; readonly sha256: string }
) {
  yield* ObjectKey.check(object.path)
  const path = yield* Effect.acquireRelease(
    Effect.sync(() => join(spool, `${randomUUID()}.parquet`)),
    (path) => Effect.ignore(attempt(name, `remove ${path}`, () => fs.rm(path, { force: true })))
  )
  const digest = yield* attempt(name, `read ${object.path}`, async (signal) => {
    const command = new sdk.GetObjectCommand({ Bucket: name, Key: object.path })
    const { Body } = await client.send(command, { abortSignal: signal })
    const hash = createHash("sha256")
    const hashing = new Transform({
      transform: (chunk: Uint8Array, _, done) => {
        hash.update(chunk)
        done(null, chunk)
      }
    })
    // Sound: the SDK's body is a Readable in Node.
    await pipeline(Body as Readable, hashing, createWriteStream(path, { flags: "wx" }), { signal })
    return hash.digest("hex")
  })
  if (digest !== object.sha256) return yield* S3Failure.damaged(name, object.path)
  return path
})

const list = ({ name, sdk, client }: Bucket, prefix: string, after: string | undefined) =>
  Stream.paginate(undefined as string | undefined, (token) =>
    Effect.map(
      attempt(name, `list ${prefix}`, (abortSignal) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: name,
            Prefix: prefix,
            ...(after === undefined || after === "" ? {} : { StartAfter: after }),
            ...(token === undefined ? {} : { ContinuationToken: token })
          }),
          { abortSignal }
        )
      ),
      (page) => [
        (page.Contents ?? []).map(({ Key, Size }) => ({ key: Key ?? "", bytes: Size ?? 0 })),
        page.IsTruncated === true ? Option.some(page.NextContinuationToken) : Option.none()
      ]
    )
  )

const attempt = <A>(
  bucket: string,
  operation: string,
  run: (signal: AbortSignal) => Promise<A>
): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({ try: run, catch: (cause) => S3Failure.from(bucket, operation, cause) })
