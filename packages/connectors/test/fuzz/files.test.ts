import { isDeepStrictEqual } from "node:util"
import { gzipSync } from "node:zlib"
import { assert } from "@effect/vitest"
import { Csv, malformed, more } from "../../src/files/Csv.ts"
import { decode } from "../../src/files/Decode.ts"
import type { Encoding } from "../../src/files/FileContract.ts"
import { Refusal } from "../../src/files/Refusal.ts"
import { zip } from "../files/Zip.ts"
import { type Dice, fuzz } from "./Dice.ts"

const limits = { bytesMax: 1 << 20, ratioMax: 250, rowBytesMax: 4096 }

async function* pieces(dice: Dice, bytes: Uint8Array) {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + dice.below(400)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** Rows of a file, each as the texts of its fields or as malformed; or that the file is refused. */
const read = async (dice: Dice, file: Uint8Array, encoding: Encoding = "utf-8") => {
  const csv = new Csv({ delimiter: ",", quote: '"', rowBytesMax: limits.rowBytesMax })
  const rows: Array<ReadonlyArray<string> | "malformed"> = []
  const drain = () => {
    for (let fields = csv.next(); fields !== more; fields = csv.next()) {
      if (fields === malformed) rows.push("malformed")
      else
        rows.push(Array.from({ length: fields }, (_, at) => csv.buffer.toString("utf8", csv.starts[at], csv.ends[at])))
    }
  }
  try {
    for await (const chunk of decode(pieces(dice, file), encoding, limits)) {
      csv.feed(chunk)
      drain()
    }
    csv.feed(undefined)
    drain()
  } catch (error) {
    assert.instanceOf(error, Refusal)
    return "refused"
  }
  return rows
}

const plain = (dice: Dice): Buffer => {
  const value = () => dice.pick(["1", "größe", '"a,b"', '"two\nlines"', '"say ""hi"""', "😀", "", "x y"])
  const lines = Array.from({ length: 5 + dice.below(40) }, () => [value(), value(), value()].join(","))
  return Buffer.from(`id,name,note\n${lines.join(dice.pick(["\n", "\r\n", "\r"]))}\n`)
}

fuzz("CSV: a packed file with any byte changed is refused, or what was packed", { runs: 300 }, async (dice) => {
  const content = plain(dice)
  const whole = await read(dice, content)
  const packed =
    dice.below(2) === 0 ? gzipSync(content) : zip([{ name: "a.csv", bytes: content, isStreamed: dice.below(2) === 0 }])
  const damaged = dice.damage(packed)
  const found = await read(dice, damaged)
  if (found === "refused" || isDeepStrictEqual(found, whole)) return
  // Bytes that no longer say that they are packed are read as text, which its header gives away.
  assert.notDeepEqual(found[0], ["id", "name", "note"])
})

fuzz(
  "CSV: a damaged file is refused, or read as rows whose every byte is accounted for",
  { runs: 600 },
  async (dice) => {
    const damaged = dice.damage(plain(dice))
    const found = await read(dice, damaged, dice.pick(["utf-8", "windows-1252", "utf-16le", "utf-16be"]))
    if (found === "refused") return
    assert.isAtLeast(damaged.length, found.length - 1)
  }
)

fuzz("CSV: garbage is refused or read, in bounded memory and time", { runs: 600 }, async (dice) => {
  const head = dice.pick(["", "\x1f\x8b\x08", "PK\x03\x04", "\xef\xbb\xbf", "\xff\xfe", '"'])
  await read(dice, Buffer.concat([Buffer.from(head, "latin1"), dice.bytes(dice.below(600))]))
})
