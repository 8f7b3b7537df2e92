import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schedule, Stream } from "effect"
import { startFauxqs } from "fauxqs"
import { unbounded } from "@northstar/core/Position"
import * as DropFolder from "../../src/files/DropFolder.ts"
import * as CephRgw from "../../src/local/CephRgw.ts"
import { contract, header, readAll, source } from "./Drops.ts"
import { memoryStore } from "./MemoryStore.ts"

/** A server with queues and buckets. */
const server = Effect.gen(function* () {
  const { port } = yield* Effect.acquireRelease(
    Effect.promise(() => startFauxqs({ port: 0, logger: false })),
    (running) => Effect.promise(() => running.stop())
  )
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: Redacted.make("test") }
  }
})

const clientOf = ({ credentials, endpoint, region }: Effect.Success<typeof server>) => {
  const plain = { accessKeyId: credentials.accessKeyId, secretAccessKey: Redacted.value(credentials.secretAccessKey) }
  return {
    s3: new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: plain,
      requestChecksumCalculation: "WHEN_REQUIRED"
    }),
    sqs: new SQSClient({ endpoint, region, credentials: plain })
  }
}

const file = (id: string) => `${header}\n${id};sent;23.11.2026 10:00;1;\n`

/** What holds for a drop folder in any bucket. */
const bucketLaws = Effect.fnUntraced(function* (at: Effect.Success<typeof server>) {
  const { s3 } = clientOf(at)
  yield* Effect.promise(() => s3.send(new CreateBucketCommand({ Bucket: "drop" })))
  const put = (key: string, content: string) =>
    Effect.promise(() => s3.send(new PutObjectCommand({ Bucket: "drop", Key: `partner/${key}`, Body: content })))
  const drop = DropFolder.bucket({ ...at, bucket: "drop", forcePathStyle: true, prefix: "partner/" })
  const from = source("", [contract()], { drop })
  const ids = (all: Effect.Success<ReturnType<typeof readAll>>) =>
    all.map(({ rows }) => rows[0]?.values["shipment_no"] ?? "")
  yield* put("in/a b+ä.csv", file("A"))
  assert.deepStrictEqual(ids(yield* readAll(from)), ["A"])
  yield* put("in/a b+ä.csv", file("A"))
  assert.deepStrictEqual(ids(yield* readAll(from)), ["A"])
  // Replaced and removed between discovery and reading.
  const reader = yield* from.open
  yield* put("in/b.csv", file("B"))
  yield* put("in/c.csv", file("C"))
  yield* reader.head
  yield* put("in/b.csv", file("B2"))
  yield* Effect.promise(() => s3.send(new DeleteObjectCommand({ Bucket: "drop", Key: "partner/in/c.csv" })))
  assert.deepStrictEqual(ids(yield* readAll(from)), ["A", "", "", "B2"])
  yield* put("in/big.csv", `${header}\n${"S;sent;23.11.2026 10:00;1;\n".repeat(200_000)}`)
  assert.strictEqual((yield* readAll(from, 4n))[0]?.rows.length, 200_000)
})

it.live("a bucket is a drop folder, and content is read only as it was discovered", () =>
  Effect.gen(function* () {
    yield* bucketLaws(yield* server)
  }).pipe(Effect.provide(Layer.fresh(memoryStore)))
)

if (await Effect.runPromise(CephRgw.available)) {
  it.live("a bucket of Ceph's gateway is a drop folder", () =>
    Effect.gen(function* () {
      const { accessKeyId, endpoint, region, secretAccessKey } = yield* CephRgw.start
      yield* bucketLaws({
        endpoint,
        region,
        credentials: { accessKeyId, secretAccessKey: Redacted.make(secretAccessKey) }
      })
    }).pipe(Effect.provide(Layer.fresh(memoryStore)))
  )
}

it.live("notifications that come twice, late and about nothing only make the source look sooner", () =>
  Effect.gen(function* () {
    const at = yield* server
    const { s3, sqs } = clientOf(at)
    yield* Effect.promise(() => s3.send(new CreateBucketCommand({ Bucket: "drop" })))
    const { QueueUrl } = yield* Effect.promise(() => sqs.send(new CreateQueueCommand({ QueueName: "drops" })))
    const queueUrl = QueueUrl ?? ""
    const tell = (body: string) =>
      Effect.promise(() => sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body })))
    const put = (key: string, content: string) =>
      Effect.promise(() => s3.send(new PutObjectCommand({ Bucket: "drop", Key: key, Body: content })))
    const drop = DropFolder.bucket({ ...at, bucket: "drop", forcePathStyle: true, queueUrl })
    const seen: Array<string> = []
    const following = yield* Effect.scoped(
      Effect.flatMap(source("", [contract()], { drop, pollInterval: "1 hour" }).open, (reader) =>
        reader.read(unbounded).pipe(
          Stream.flatMap(({ chunks }) => chunks),
          Stream.runForEach((blocks) => Effect.sync(() => blocks.forEach(({ rows }) => seen.push(`${rows}`))))
        )
      )
    ).pipe(Effect.forkScoped)
    const until = (count: number) =>
      Effect.repeat(Effect.sleep("20 millis"), { until: () => seen.length >= count, schedule: Schedule.recurs(500) })
    yield* tell("about nothing")
    yield* put("in/a.csv", file("A"))
    yield* put("in/b.csv", file("B"))
    // The second file's notification comes first, and both twice.
    for (const key of ["in/b.csv", "in/a.csv", "in/a.csv", "in/b.csv"]) yield* tell(`{"key":"${key}"}`)
    yield* until(2)
    yield* tell("again")
    yield* put("in/c.csv", file("C"))
    yield* tell("in/c.csv")
    yield* until(3)
    assert.deepStrictEqual(seen, ["1", "1", "1"])
    const left = Effect.promise(() =>
      sqs.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["All"] }))
    )
    yield* Effect.repeat(Effect.delay(left, "20 millis"), {
      until: ({ Attributes }) => Attributes?.["ApproximateNumberOfMessages"] === "0",
      schedule: Schedule.recurs(250)
    }).pipe(Effect.map(({ Attributes }) => assert.strictEqual(Attributes?.["ApproximateNumberOfMessages"], "0")))
    yield* Fiber.interrupt(following)
  }).pipe(Effect.provide(Layer.fresh(memoryStore)))
)
