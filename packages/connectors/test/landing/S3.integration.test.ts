import { assert, it, layer } from "@effect/vitest"
import { Config, Effect, Layer, Option, Redacted } from "effect"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as CephRgw from "../../src/local/CephRgw.ts"
import * as S3Store from "../../src/s3/S3Store.ts"
import { suite } from "./LandingSuite.ts"
import { bucket, DuckDb } from "./Stores.ts"

const isAvailable = await Effect.runPromise(CephRgw.available)
const isRequired = await Effect.runPromise(
  Config.String("NORTHSTAR_REQUIRE_S3").pipe(Config.option, Effect.map(Option.contains("1")))
)
const reason =
  "Ceph's radosgw, ceph-mon and ceph-osd are not installed (Debian: apt-get install radosgw ceph-mon ceph-osd)"

it("the landing log on S3 is tested where Ceph is installed, and everywhere in CI", ({ skip }) => {
  if (isAvailable) return
  assert.isFalse(isRequired, reason)
  console.warn(`the landing log on S3 is not tested: ${reason}`)
  skip()
})

if (isAvailable) {
  const s3Layer = Layer.unwrap(Effect.map(bucket, S3Store.layer))
  layer(Layer.merge(s3Layer, DuckDb.layer), { excludeTestServices: true })("landing on S3", (it) => suite(it, "S3", 2))

  layer(Layer.effectDiscard(Effect.void), { excludeTestServices: true })("errors of S3", (it) => {
    it.effect("wrong settings are told apart, each with what to do", () =>
      Effect.gen(function* () {
        const good = yield* bucket
        const tagOf = (options: S3Store.S3Options) =>
          ObjectStore.pipe(
            Effect.flatMap((store) => store.get("a/b")),
            Effect.flip,
            Effect.map((error) => {
              assert.notInclude(error.message, "northstar-secret")
              return error.reason._tag
            }),
            Effect.provide(S3Store.layer(options))
          )
        const secretAccessKey = Redacted.make("wrong")
        assert.strictEqual(yield* tagOf(good), "InvalidData")
        assert.strictEqual(yield* tagOf({ ...good, bucket: "absent" }), "Misconfigured")
        assert.strictEqual(
          yield* tagOf({ ...good, credentials: { ...good.credentials, secretAccessKey } }),
          "Unauthorized"
        )
        assert.strictEqual(
          yield* tagOf({ ...good, credentials: { accessKeyId: "nobody", secretAccessKey } }),
          "Unauthorized"
        )
        assert.strictEqual(yield* tagOf({ ...good, endpoint: "http://127.0.0.1:9" }), "Unavailable")
      })
    )
  })
}
