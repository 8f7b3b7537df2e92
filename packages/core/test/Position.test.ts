import { assert, it } from "@effect/vitest"
import { Version } from "@northstar/core/Change"
import { decode, encode, isWithin, orderOption, sequence } from "@northstar/core/Position"
import { Arbitrary, Effect, Option, Schema } from "effect"

const type = sequence("test/sequence")
const sequences = Arbitrary.map(Arbitrary.schema(Schema.Int), (n) => BigInt(Math.abs(n)))

it.effect.prop("S3 order: a sequence's text round-trips and sorts as its number", [sequences, sequences], ([a, b]) =>
  Effect.gen(function* () {
    const [left, right] = [encode(type, a), encode(type, b)]
    assert.strictEqual(yield* decode(type, left), a)
    assert.strictEqual(left < right ? -1 : left > right ? 1 : 0, type.order(a, b))
  })
)

it.effect("S3 order: a text that is no sequence is refused", () =>
  Effect.gen(function* () {
    for (const text of ["", "1", "-0000000000000000001", "0/16B3748", "000000000000000000001"]) {
      assert.strictEqual((yield* Effect.flip(decode(type, text)))._tag, "SchemaError")
    }
  })
)

it("the beginning comes before every position", () => {
  const order = orderOption(type)
  assert.strictEqual(order(Option.none(), Option.some(0n)), -1)
  assert.strictEqual(order(Option.none(), Option.none()), 0)
  assert.strictEqual(order(Option.some(2n), Option.some(1n)), 1)
})

it("a range excludes where it starts and includes where it ends", () => {
  const range = { after: Option.some(2n), through: Option.some(4n) }
  const within = [1n, 2n, 3n, 4n, 5n].filter((position) => isWithin(type, range, position))
  assert.deepStrictEqual(within, [3n, 4n])
})

it("versions are ordered by epoch, then position, then ordinal, then revision", () => {
  const version = (epoch: number, position: bigint, ordinal: number, revision: number): Version => ({
    epoch,
    position,
    ordinal,
    revision
  })
  const ascending = [
    version(0, 99n, 9, 9),
    version(1, 2n, 9, 9),
    version(1, 10n, 0, 0),
    version(1, 10n, 0, 1),
    version(1, 10n, 2, 0),
    version(1, 10n, 10, 0),
    version(1, 2n ** 63n, 0, 0)
  ]
  for (const [index, left] of ascending.entries()) {
    for (const [other, right] of ascending.entries()) {
      assert.strictEqual(Version(left, right), Math.sign(index - other))
    }
  }
})
