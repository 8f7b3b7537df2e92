import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Equal, Schema } from "effect"
import { Csv, doubled, malformed, more, undouble } from "../../src/files/Csv.ts"
import { Refusal } from "../../src/files/Refusal.ts"
import * as SimpleCsv from "./SimpleCsv.ts"

interface Read {
  readonly rows: ReadonlyArray<ReadonlyArray<string> | "malformed">
  readonly problems: ReadonlyArray<string>
  readonly lines: ReadonlyArray<number>
  readonly isOpenEnded: boolean
}

/** All rows of bytes that come in these pieces. */
const read = (chunks: ReadonlyArray<Uint8Array>, delimiter = ",", quote = '"', rowBytesMax = 1 << 20): Read => {
  const csv = new Csv({ delimiter, quote, rowBytesMax })
  const found = {
    rows: [] as Array<ReadonlyArray<string> | "malformed">,
    problems: [] as Array<string>,
    lines: [] as Array<number>
  }
  const drain = () => {
    for (let fields = csv.next(); fields !== more; fields = csv.next()) {
      found.lines.push(csv.line)
      if (fields === malformed) {
        found.rows.push("malformed")
        found.problems.push(csv.problem)
      } else found.rows.push(Array.from({ length: fields }, (_, field) => textOf(csv, field)))
    }
  }
  for (const chunk of chunks) {
    csv.feed(chunk)
    drain()
  }
  csv.feed(undefined)
  drain()
  return { ...found, isOpenEnded: csv.isOpenEnded }
}

const textOf = (csv: Csv, field: number): string => {
  const start = csv.starts[field] ?? 0
  const end = csv.ends[field] ?? 0
  if (csv.kinds[field] !== doubled) return csv.buffer.toString("utf8", start, end)
  const target = Buffer.alloc(end - start)
  return target.toString("utf8", 0, undouble(csv.buffer, start, end, target))
}

const orRefused = (run: () => Read): Read["rows"] | "refused" => {
  try {
    return run().rows
  } catch (error) {
    assert.instanceOf(error, Refusal)
    return "refused"
  }
}

/** Bytes cut at places drawn from `cuts`. */
const cut = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const places = [0, ...cuts.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

const Piece = Schema.Literals([
  "a",
  "bc",
  ",",
  ",",
  ";",
  '"',
  '"',
  '""',
  "\n",
  "\n",
  "\r",
  "\r\n",
  "ä",
  "😀",
  "x y",
  ""
])
const cuts = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 400 }))), {
  maxLength: 12
})

it.effect.prop(
  "the parser reads what a plain one reads, however the bytes are cut and whatever they are",
  {
    pieces: Arbitrary.array(Arbitrary.schema(Piece), { maxLength: 60 }),
    cuts,
    quote: Schema.Literals(['"', "none"]),
    delimiter: Schema.Literals([",", ";"])
  },
  ({ cuts, delimiter, pieces, quote }) =>
    Effect.sync(() => {
      const text = pieces.join("")
      const fast = orRefused(() => read(cut(Buffer.from(text), cuts), delimiter, quote))
      assert.deepStrictEqual(fast, SimpleCsv.parse(text, delimiter, quote))
    }),
  { arbitrary: { runs: 1_500 } }
)

/** A value as an export would quote it. */
const quotedIf = (value: string, isQuoted: boolean): string =>
  isQuoted || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value

it.effect.prop(
  "what is written by the rules comes back value for value, with the line it started on",
  {
    rows: Arbitrary.array(Arbitrary.array(Arbitrary.schema(Schema.String), { minLength: 2, maxLength: 5 }), {
      maxLength: 12
    }),
    cuts,
    isQuoted: Schema.Boolean,
    lineBreak: Schema.Literals(["\n", "\r\n", "\r"])
  },
  ({ cuts, isQuoted, lineBreak, rows }) =>
    Effect.sync(() => {
      const clean = rows.map((row) => row.map((value) => value.toWellFormed()))
      const lines = clean.map((row) => row.map((value) => quotedIf(value, isQuoted)).join(","))
      const found = read(cut(Buffer.from(lines.map((line) => line + lineBreak).join("")), cuts))
      assert.isTrue(Equal.equals(found.rows, clean))
      let line = 1
      for (const [index, text] of lines.entries()) {
        assert.strictEqual(found.lines[index], line)
        line += text.split(/\r\n|\r|\n/).length
      }
    }),
  { arbitrary: { runs: 400 } }
)

const bytes = (...parts: ReadonlyArray<string | ReadonlyArray<number>>): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)))

it("only rows that are not UTF-8 are malformed", () => {
  const text = bytes("a,b\n1,", [0xff], "\n2,ä\n3,", [0xc3], "\n", [0xf0, 0x9f, 0x98], ",4\n5,😀")
  for (const size of [1, 2, 3, 7, text.length]) {
    const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, n) =>
      text.subarray(n * size, (n + 1) * size)
    )
    assert.deepStrictEqual(read(chunks).rows, [
      ["a", "b"],
      "malformed",
      ["2", "ä"],
      "malformed",
      "malformed",
      ["5", "😀"]
    ])
    assert.deepStrictEqual(read(chunks).problems, ["encoding", "encoding", "encoding"])
  }
})

it("a row whose quotes are broken is malformed up to the end of its line", () => {
  assert.deepStrictEqual(read([bytes('a,"b"x,c\n1,2,3\nx"y,2,3\n4,5,6\n')]).rows, [
    "malformed",
    ["1", "2", "3"],
    "malformed",
    ["4", "5", "6"]
  ])
})

it("a file whose rows cannot be told apart is refused", () => {
  const refusal = (text: string) => {
    try {
      read([bytes(text)], ",", '"', 1_000)
    } catch (error) {
      assert.instanceOf(error, Refusal)
      return error.detail
    }
    return "read"
  }
  assert.include(refusal('a,b\n1,"2\n3,4\n'), "line 2 is never closed")
  assert.include(refusal('a,b\n1,"2\n3"\n4,"5"6\n'), "line 4 are broken")
  assert.include(refusal('a,b\n4,"5"6\n1,"2\n3"\n'), "line 2 are broken")
  assert.strictEqual(refusal("a,b\n1,2\n"), "read")
})

it("a row longer than allowed is refused in bounded memory", () => {
  const csv = new Csv({ delimiter: ",", quote: '"', rowBytesMax: 10_000 })
  const endless = Buffer.alloc(1_000, "x")
  assert.throws(() => {
    for (let n = 0; n < 1_000; n++) {
      csv.feed(endless)
      assert.strictEqual(csv.next(), more)
    }
  }, "longer than 10000 bytes")
})
