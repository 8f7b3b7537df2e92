import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import { assert, it } from "@effect/vitest"
import { decode } from "../../src/files/Decode.ts"
import type { Encoding } from "../../src/files/FileContract.ts"
import { Refusal } from "../../src/files/Refusal.ts"
import { zip } from "./Zip.ts"

const limits = { bytesMax: 64 << 20, ratioMax: 250, rowBytesMax: 1 << 20 }

async function* pieces(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const decoded = async (bytes: Uint8Array, encoding: Encoding = "utf-8", size = 7, given = limits): Promise<Buffer> => {
  const out: Array<Uint8Array> = []
  for await (const chunk of decode(pieces(bytes, size), encoding, given)) out.push(Buffer.from(chunk))
  return Buffer.concat(out)
}

const refusal = async (bytes: Uint8Array, size = 7, given = limits): Promise<string> => {
  const error = await decoded(bytes, "utf-8", size, given).then(
    () => new Error("read"),
    (error: unknown) => error
  )
  assert.instanceOf(error, Refusal)
  return error.detail
}

const text = "größe;€;日本;😀\n".repeat(50)
const swapped = (bytes: Buffer): Buffer => Buffer.from(bytes).swap16()

it("text comes out the same from every encoding, however it is cut", async () => {
  const utf16 = Buffer.from(text, "utf16le")
  const cases: ReadonlyArray<readonly [Uint8Array, Encoding, string]> = [
    [Buffer.from(text), "utf-8", text],
    [Buffer.from(`\ufeff${text}`), "utf-8", text],
    [Buffer.from(`\ufeff${text}`), "windows-1252", text],
    [utf16, "utf-16le", text],
    [swapped(utf16), "utf-16be", text],
    [Buffer.from(`\ufeff${text}`, "utf16le"), "utf-8", text],
    [swapped(Buffer.from(`\ufeff${text}`, "utf16le")), "utf-8", text],
    [Buffer.from("größe\xa0", "latin1"), "latin1", "größe\xa0"],
    [Uint8Array.of(0x80, 0x8e, 0xe4, 0x81), "windows-1252", "€Žä\x81"]
  ]
  for (const [bytes, encoding, expected] of cases) {
    for (const size of [1, 2, 3, 5, 1_000]) {
      assert.strictEqual((await decoded(bytes, encoding, size)).toString(), expected, `${encoding} by ${size}`)
    }
  }
})

it("half of a pair in UTF-16 becomes bytes that are no UTF-8, and nothing is lost silently", async () => {
  const broken = Buffer.from("a\ud83db\ude00c\ud83d", "utf16le")
  for (const size of [1, 2, 3, 100]) {
    const out = await decoded(Buffer.concat([broken, Uint8Array.of(0x41)]), "utf-16le", size)
    assert.strictEqual(out.toString("hex"), "61eda0bd62edb88063eda0bdff")
  }
})

it("gzip, of several members too, and a zip of one member are unpacked by their bytes", async () => {
  const packed = [
    gzipSync(text),
    Buffer.concat([gzipSync(text.slice(0, 100)), gzipSync(text.slice(100))]),
    zip([{ name: "a.csv", bytes: Buffer.from(text) }]),
    zip([{ name: "a.csv", bytes: Buffer.from(text), isStreamed: true }]),
    zip([{ name: "a.csv", bytes: Buffer.from(text), isStored: true }])
  ]
  for (const bytes of packed) {
    for (const size of [1, 13, 100_000]) assert.strictEqual((await decoded(bytes, "utf-8", size)).toString(), text)
  }
})

it("large archives are unpacked whole", async () => {
  const big = Buffer.from(Array.from({ length: 400_000 }, (_, n) => `${n};${Math.imul(n, 2_654_435_761)}\n`).join(""))
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
  for (const bytes of [gzipSync(big), zip([{ name: "a", bytes: big, isStreamed: true }])]) {
    assert.strictEqual(digest(await decoded(bytes, "utf-8", 65_536)), digest(big))
  }
})

it("what is damaged, cut off, or more than one file is refused", async () => {
  const good = gzipSync(text)
  const one = zip([{ name: "a.csv", bytes: Buffer.from(text) }])
  const flipped = Buffer.from(good)
  flipped[good.length - 6] = (flipped[good.length - 6] ?? 0) ^ 1
  const flippedZip = Buffer.from(one)
  flippedZip[50] = (flippedZip[50] ?? 0) ^ 1
  assert.strictEqual(await refusal(new Uint8Array()), "the file is empty")
  assert.strictEqual(await refusal(gzipSync("")), "the file is empty")
  for (let end = 1; end < good.length; end += 5) assert.isString(await refusal(good.subarray(0, end === 1 ? 3 : end)))
  assert.include(await refusal(flipped), "damaged")
  assert.isString(await refusal(Buffer.concat([good, Buffer.from("garbage")])))
  assert.isString(await refusal(flippedZip))
  for (let end = 4; end < one.length; end += 7) assert.isString(await refusal(one.subarray(0, end)))
  for (const isStreamed of [true, false]) {
    const two = zip([
      { name: "a", bytes: Buffer.from(text), isStreamed },
      { name: "b", bytes: Buffer.from(text), isStreamed }
    ])
    assert.include(await refusal(two), "more than one member")
  }
  const encrypted = Buffer.from(one)
  encrypted[6] = 1
  assert.include(await refusal(encrypted), "encrypted")
})

it("a bomb is refused before it has unpacked", async () => {
  const bomb = gzipSync(Buffer.alloc(40 << 20))
  assert.include(await refusal(bomb, 4_096), "more than 250 times")
  assert.include(
    await refusal(bomb, 4_096, { ...limits, ratioMax: 10_000, bytesMax: 1 << 20 }),
    "more than 1048576 bytes"
  )
})
