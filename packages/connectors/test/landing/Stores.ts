import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api"
import { Context, Effect, Layer, Option, Redacted, Stream } from "effect"
import { unbounded } from "@northstar/core/Position"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import * as LandingLog from "../../src/landing/LandingLog.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as CephRgw from "../../src/local/CephRgw.ts"
import * as S3Store from "../../src/s3/S3Store.ts"

/** A new folder until the scope closes. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-landing-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** An object store in a new folder. */
export const folderLayer = Layer.unwrap(Effect.map(temporaryFolder, FolderStore.layer))

/** How to reach a fresh bucket of a Ceph gateway of our own. */
export const bucket = Effect.gen(function* () {
  const { endpoint, region, accessKeyId, secretAccessKey } = yield* CephRgw.start
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
  yield* Effect.promise(() => client.send(new CreateBucketCommand({ Bucket: "landing" })))
  client.destroy()
  const spool = yield* temporaryFolder
  const credentials = { accessKeyId, secretAccessKey: Redacted.make(secretAccessKey) }
  return { bucket: "landing", region, endpoint, forcePathStyle: true, credentials, spool } satisfies S3Store.S3Options
})

/** A DuckDB connection: the independent reader of segments. */
export class DuckDb extends Context.Service<DuckDb, DuckDBConnection>()("test/DuckDb") {
  static readonly layer = Layer.effect(
    DuckDb,
    Effect.acquireRelease(
      Effect.promise(async () => (await DuckDBInstance.create(":memory:")).connect()),
      (connection) => Effect.sync(() => connection.closeSync())
    )
  )
}

/** Every row of a stream's log as one text, sorted: what is stored, however it was batched. */
export const contents = (stream: string) =>
  LandingLog.records(stream, unbounded).pipe(
    Stream.flatMap((record) => Stream.fromIterable(record.files)),
    Stream.mapEffect((file) =>
      Effect.scoped(
        Effect.gen(function* () {
          const path = yield* (yield* ObjectStore).local(file)
          const connection = yield* DuckDb
          const rows = yield* Effect.promise(() => connection.runAndReadAll(`FROM read_parquet('${path}')`))
          return rows.getRows().map((row) => `${file.table} ${row.map(String).join("|")}`)
        })
      )
    ),
    Stream.runCollect,
    Effect.map((rows) => rows.flat().toSorted())
  )

/** Keys of all objects that start with `prefix`. */
export const keys = (prefix: string, after?: string) =>
  Effect.flatMap(ObjectStore, (store) => Stream.runCollect(Stream.map(store.list(prefix, after), ({ key }) => key)))

/** The log's newest record; there must be one. */
export const newest = (stream: string) => Effect.map(LandingLog.tail(stream), Option.getOrThrow)
