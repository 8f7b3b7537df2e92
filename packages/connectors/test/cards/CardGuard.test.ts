import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { DuckDBInstance } from "@duckdb/node-api"
import { Arbitrary, Effect, Option, Redacted, Ref, Schema, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { StageLaws } from "@northstar/core/testing"
import * as CardGuard from "../../src/cards/CardGuard.ts"
import * as CardKeys from "../../src/cards/CardKeys.ts"
import { toTexts } from "../../src/cards/TextValues.ts"
import * as Token from "../../src/cards/Token.ts"
import type { Block, RelationColumn } from "../../src/landing/Block.ts"
import { relation } from "../../src/landing/BlockBuilder.ts"
import * as Parquet from "../../src/landing/Parquet.ts"
import { block, type TestRow } from "../landing/Blocks.ts"
import { cardNumber, settings, written } from "./CardNumbers.ts"

const pan = "4111111111111111"
const other = "378282246310005"
const keys = CardKeys.parse(Redacted.make(Buffer.alloc(32, 7).toString("base64")))
const withKeys = Effect.asSome(keys)

const orders = Table.make("orders", {
  columns: {
    code: Column.text,
    id: Column.int64,
    note: Column.nullable(Column.text),
    details: Column.nullable(Column.json),
    ean: Column.nullable(Column.notCard(Column.text)),
    card: Column.renamedFrom(Column.nullable(Column.pci(Column.text)), "card_no"),
    card_last4: Column.cardLast4Of("card"),
    card_brand: Column.cardBrandOf("card")
  },
  key: ["id", "code"]
})
const plain = Table.make("plain", { columns: { id: Column.text, note: Column.text }, key: ["id"] })

const column = (name: string, type = "text", key = false): RelationColumn => ({ name, type, key })
const shape = relation(orders.source, [
  column("code", "text", true),
  column("id", "bigint", true),
  column("note"),
  column("details", "jsonb"),
  column("ean"),
  column("card_no")
])
const plainShape = relation(plain.source, [column("id", "text", true), column("note")])

const protect = Effect.fnUntraced(function* (
  given: Block,
  policy: "tokenise" | "quarantine" = "tokenise",
  from: CardGuard.GuardOptions["keys"] = withKeys
) {
  return (yield* CardGuard.protector({ tables: [orders, plain], keys: from, policy }))(given)
})

/** Rows of a protected block, as texts under the names that land. */
const rowsOf = ({ columns, flagged, movedFrom, relation, unchanged }: Block) => {
  const texts = new Map(relation.columns.map(({ name }, index) => [name, toTexts(columns.at(index)!)]))
  const more = { _flagged: toTexts(flagged), _moved_from: toTexts(movedFrom), _unchanged: toTexts(unchanged) }
  return Array.from({ length: flagged.present.length }, (_, row) =>
    Object.fromEntries([...texts, ...Object.entries(more)].map(([name, all]) => [name, all[row] ?? null]))
  )
}

const order = (values: { readonly [name: string]: string | null }): TestRow => ({
  values: [
    "A",
    "1",
    values["note"] ?? null,
    values["details"] ?? null,
    values["ean"] ?? null,
    values["card_no"] ?? null
  ],
  ...(values["unchanged"] === undefined ? {} : { unchanged: values["unchanged"] })
})

it.effect("C1 card data: a pci column holds tokens, its parts on request, and nothing else", () =>
  Effect.gen(function* () {
    const card = Column.pci(Column.text)
    assert.strictEqual(card.tag, "pci")
    const values = [
      pan,
      "3782 822463 10005",
      " 4111-1111-1111-1112 ",
      "123",
      "4111********1111",
      `;${pan}=2601101000000?`,
      null
    ]
    const { block: safe, findings } = yield* protect(
      block(
        shape,
        values.map((value) => order({ card_no: value }))
      )
    )
    const rows = rowsOf(safe)
    const token = (digits: string) => Effect.map(keys, (known) => Token.tokenise(digits, known))
    assert.deepStrictEqual(
      rows.map((row) => [row["card_no"], row["card_last4"], row["card_brand"], row["_flagged"]]),
      [
        [yield* token(pan), "1111", "visa", null],
        [yield* token(other), "0005", "amex", null],
        [yield* token("4111111111111112"), "1112", "visa", null],
        [null, null, null, null],
        [null, null, null, null],
        [null, null, null, null],
        [null, null, null, null]
      ]
    )
    assert.deepStrictEqual(findings, [{ table: "public.orders", column: "card", kind: "not_a_card", rows: 3 }])
    // What is a token already stays one, and a text that only pretends to be one does not.
    const again = yield* protect(
      block(shape, [order({ card_no: yield* token(pan) }), order({ card_no: `tok_v1_${pan}${"_".repeat(27)}` })])
    )
    assert.deepStrictEqual(
      rowsOf(again.block).map((row) => row["card_no"]),
      [yield* token(pan), null]
    )
  })
)

it.effect("C1 card data: a number where none belongs is replaced by its token, and JSON stays JSON", () =>
  Effect.gen(function* () {
    const token = Token.tokenise(pan, yield* keys)
    const { block: safe, findings } = yield* protect(
      block(shape, [
        order({ note: `call, then ${pan}!`, details: `{"pan":${pan},"tip":0.${pan},"n":"4111 1111 1111 1111"}` }),
        order({ note: `swiped %B${pan}^A/B^2601101?`, details: `[${pan}.0, "x\\"${pan}"]` }),
        order({ ean: pan })
      ])
    )
    assert.deepStrictEqual(
      rowsOf(safe).map((row) => [row["note"], row["details"], row["ean"], row["_flagged"]]),
      [
        [`call, then ${token}!`, `{"pan":"${token}","tip":0.${pan},"n":"${token}"}`, null, null],
        ["swiped [track data removed]", `["${token}", "x\\"${token}"]`, null, null],
        [null, null, pan, null]
      ]
    )
    assert.deepStrictEqual(findings, [
      { table: "public.orders", column: "note", kind: "card_number", rows: 1 },
      { table: "public.orders", column: "note", kind: "track_data", rows: 1 },
      { table: "public.orders", column: "details", kind: "card_number", rows: 2 }
    ])
  })
)

it.effect("C1 card data: a number in a key, an old key or a numeric column sets the row aside", () =>
  Effect.gen(function* () {
    const token = Token.tokenise(pan, yield* keys)
    const { block: safe } = yield* protect(
      block(shape, [
        { values: [pan, "1", null, null, null, null] },
        { values: ["A", pan, null, null, null, null] },
        { values: ["A", "2", null, null, null, null], movedFrom: JSON.stringify(["7", `x "${pan}"`]) },
        { op: 2, values: [`${pan}é`, "3", null, null, null, null], flagged: "malformed" },
        order({})
      ])
    )
    assert.deepStrictEqual(
      rowsOf(safe).map((row) => [row["code"], row["id"], row["_moved_from"], row["_flagged"]]),
      [
        [token, "1", null, "card_number:code"],
        ["A", token, null, "card_number:id"],
        ["A", "2", JSON.stringify(["7", `x "${token}"`]), "card_number:code"],
        [`${token}é`, "3", null, "malformed"],
        ["A", "1", null, null]
      ]
    )
  })
)

it.effect("C1 card data: no length of a value, nor that of the next, hides a number in it", () =>
  Effect.gen(function* () {
    // Lengths of values stand between them in a block, and some look like digits, spaces or hyphens.
    const lengths = Array.from({ length: 64 }, (_, length) => length).concat(0x3039, 0x303030)
    const notes = lengths.flatMap((length) => [pan, "x".repeat(length), `a${pan}`, "", null])
    const { block: safe } = yield* protect(
      block(
        plainShape,
        notes.map((note) => ({ values: ["1", note] }))
      )
    )
    const token = Token.tokenise(pan, yield* keys)
    assert.deepStrictEqual(
      rowsOf(safe).map((row) => row["note"]),
      notes.map((note) => note?.replace(pan, token) ?? null)
    )
  })
)

it.effect("by policy every row that held a number is set aside, and without keys the number is cut out", () =>
  Effect.gen(function* () {
    const given = block(plainShape, [{ values: ["1", pan] }, { values: ["2", "fine"] }])
    const aside = yield* protect(given, "quarantine")
    assert.deepStrictEqual(
      rowsOf(aside.block).map((row) => row["_flagged"]),
      ["card_number:note", null]
    )
    const keyless = yield* CardGuard.protector({ tables: [plain], keys: Effect.succeedNone, policy: "tokenise" })
    assert.deepStrictEqual(
      rowsOf(keyless(given).block).map((row) => row["note"]),
      ["[card number removed]", "fine"]
    )
  })
)

it.effect("a row that does not carry a card number does not carry its parts", () =>
  Effect.gen(function* () {
    const { block: safe } = yield* protect(
      block(shape, [order({ unchanged: '["card_no"]' }), order({ unchanged: '["note"]' }), order({})])
    )
    assert.deepStrictEqual(
      rowsOf(safe).map((row) => row["_unchanged"]),
      ['["card_no","card_last4","card_brand"]', '["note"]', null]
    )
  })
)

it.effect("a card number has one token in its column, however it is written", () =>
  Effect.gen(function* () {
    const given = written.map((write) => order({ card_no: write(pan) }))
    const found = rowsOf((yield* protect(block(shape, given))).block)
    assert.deepStrictEqual(new Set(found.map((row) => row["card_no"])), new Set([Token.tokenise(pan, yield* keys)]))
  })
)

it.effect("C1 card data: numbers in columns of bytes are found in what their hexadecimal digits stand for", () =>
  Effect.gen(function* () {
    const hex = (text: string) => `\\x${Buffer.from(text).toString("hex")}`
    const files = relation("public.files", [column("id", "bytea", true), column("content", "bytea", false)])
    const number = "4111111111111111"
    const clean = hex("a file without, 4111111111111112")
    const given = block(files, [
      { values: [hex("1"), clean] },
      { values: [hex("2"), hex(`paid with ${number}, thanks`)] },
      { values: [hex("3"), `\\x${number}`] },
      { values: [hex(number), clean], movedFrom: JSON.stringify([hex(`old ${number}`)]) }
    ])
    const { block: safe, findings } = yield* protect(given)
    const found = rowsOf(safe)
    assert.deepStrictEqual(
      found.map((row) => row["_flagged"]),
      [null, "card_number:content", "card_number:content", "card_number:id"]
    )
    assert.strictEqual(found[0]?.["content"], clean)
    assert.match(String(found[1]?.["content"]), /^tok_v1_/)
    assert.deepStrictEqual(
      findings.map(({ column, rows }) => [column, rows]),
      [
        ["id", 1],
        ["content", 2],
        ["id", 1]
      ]
    )
    const texts = JSON.stringify(found)
    assert.notInclude(texts, number)
    assert.notInclude(texts, Buffer.from(number).toString("hex"))
  })
)

it.effect("C1 card data: packed numbers are found in the formats of chips, messages and records", () =>
  Effect.gen(function* () {
    const files = relation("public.files", [column("content", "bytea", false)])
    const amex = "378282246310005"
    const numbers = [
      pan,
      `${pan}ff`,
      `${pan}${"f".repeat(16)}`,
      `ffffffff${pan}${"0".repeat(24)}`,
      // Tag, length, number; and what follows it.
      `5a08${pan}`,
      `5a08${pan}5f24032512319f02060000000010009f37041a2b3c4d`,
      `5a08${amex}f`,
      // Length in digits, number, amount; padded on the left; a number with its sign.
      `02007238000000c08000000016${pan}000000000000010000`,
      `0${amex}`,
      `0${pan}c`,
      `${Buffer.from("ACCT ").toString("hex")}${pan}2512`,
      // A number whose bytes are letters, too: 4242424242424242 is BBBBBBBB.
      "5a0842424242424242425f2403251231"
    ]
    const tracks = [
      "57114111111111111111d25122010000012345678f",
      "57114111111111111112d25122010000012345678f9f2701809f36020001"
    ]
    const given = [...numbers, ...tracks].map((hex) => `\\x${hex}`)
    const found = rowsOf(
      (yield* protect(
        block(
          files,
          given.map((value) => ({ values: [value] }))
        )
      )).block
    )
    for (const [row, { _flagged, content }] of found.entries()) {
      const isTrack = row >= numbers.length
      assert.strictEqual(_flagged, isTrack ? "track_data:content" : "card_number:content", given[row])
      assert.match(String(content), isTrack ? /^\[track data removed\]$/ : /^tok_v1_[\w-]{43}$/, given[row])
      assert.notMatch(String(content), /\d{13}/)
    }
  })
)

it.effect("texts in columns of bytes are no packed numbers, though their letters are digits in hexadecimal", () =>
  Effect.gen(function* () {
    const files = relation("public.files", [column("content", "bytea", false)])
    // In hexadecimal digits each holds a number with its check digit, whole bytes long.
    const texts = ["say BBBBBBBB twice", '{"code":"BBBBBBBB"}', "\u0000\u0004BBBBBBBB, and more\u0000"]
    const given = block(
      files,
      texts.map((text) => ({ values: [`\\x${Buffer.from(text).toString("hex")}`] }))
    )
    assert.strictEqual((yield* protect(given)).block, given)
  })
)

it.effect("contracts whose card data cannot be kept are refused before the first batch", () =>
  Effect.gen(function* () {
    const columns = { id: Column.text, card: Column.pci(Column.text) }
    const key = ["id"] as const
    const cases = [
      [Table.make("a", { columns, key }), Effect.succeedNone],
      [Table.make("c", { columns: { ...columns, card: Column.pci(Column.int64) }, key }), withKeys],
      [Table.make("d", { columns: { id: Column.text, last: Column.cardLast4Of("id") }, key }), withKeys]
    ] as const
    for (const [table, from] of cases) {
      const stage = CardGuard.guard({ tables: [table], keys: from, policy: "tokenise" })
      const error = yield* Effect.flip(Stream.runDrain(stage(Stream.empty)))
      assert.strictEqual(error.reason._tag, "Misconfigured")
      assert.include(error.message, `${table.name}.`.slice(0, 1))
    }
  })
)

const Text = Schema.NullOr(Schema.Union([Schema.String, Schema.Literals(["", "🛒 12", "2026-09-21 13:20:00.123+00"])]))
const withoutDigits = (text: string | null) => text?.replaceAll(/\d{3}/g, "12x").toWellFormed() ?? null

it.effect.prop(
  "a block without card data passes as it is, not copied",
  { rows: Arbitrary.array(Arbitrary.schema(Schema.Tuple([Text, Text])), { minLength: 1, maxLength: 20 }) },
  ({ rows }) =>
    Effect.gen(function* () {
      const given = block(
        plainShape,
        rows.map((values) => ({ values: values.map(withoutDigits), flagged: withoutDigits(values[1]) }))
      )
      const { block: safe, findings } = yield* protect(given)
      assert.strictEqual(safe, given)
      assert.deepStrictEqual(findings, [])
    })
)

/** Everything a segment holds, decoded by an independent reader, as one text. */
const decoded = (file: Uint8Array) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-cards-"))),
    (folder) =>
      Effect.promise(async () => {
        writeFileSync(join(folder, "segment.parquet"), file)
        const connection = await (await DuckDBInstance.create(":memory:")).connect()
        const rows = await connection.runAndReadAll(`FROM read_parquet('${join(folder, "segment.parquet")}')`)
        connection.closeSync()
        return [...rows.columnNames(), ...rows.getRows().flat().map(String)].join("\n")
      }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

it.effect.prop(
  "C1 card data: a number planted anywhere is in no byte of the segment, in any form",
  {
    number: cardNumber,
    way: Arbitrary.schema(
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: settings.length * written.length - 1 }))
    )
  },
  ({ number, way }) =>
    Effect.gen(function* () {
      const dirty = settings.at(way % settings.length)!(written.at(way % written.length)!(number))
      const json = JSON.stringify({ [dirty]: [dirty, { text: dirty }] })
      const names = ["id", "note", `header ${number}`]
      const wide = relation(
        "public.plain",
        names.map((name, index) => column(name, "text", index === 0))
      )
      const rows: ReadonlyArray<TestRow> = [
        { values: [dirty, "x", "y"] },
        { values: ["1", dirty, dirty] },
        { values: ["2", json, "z"], movedFrom: JSON.stringify([dirty]), unchanged: JSON.stringify([names[2]]) },
        { values: ["3", `%B${number}^A/B^26011011234?;${number}=26011011234?`, "z"], flagged: `malformed ${dirty}` }
      ]
      const blocks = [
        block(wide, rows),
        block(shape, [
          order({ note: dirty, details: json, card_no: written.at(way % 3)!(number) }),
          order({ card_no: dirty })
        ])
      ]
      for (const given of blocks) {
        const { block: safe } = yield* protect(given)
        const text = yield* decoded(yield* Parquet.encode([safe]))
        // Tokens hold digits and dashes of their own.
        assert.notInclude(text.replaceAll(/tok_v1_[\w-]{43}/g, "").replaceAll(/[^\d\n]/g, ""), number)
        assert.include(text, "tok_v1_")
      }
    }),
  60_000
)

it.effect("findings are reported per chunk, and arrows are left alone", () =>
  Effect.gen(function* () {
    const told = yield* Ref.make<ReadonlyArray<CardGuard.Finding>>([])
    const stage = CardGuard.guard({
      tables: [plain],
      keys: Effect.succeedNone,
      policy: "tokenise",
      onHit: (findings) => Ref.update(told, (all) => [...all, ...findings])
    })
    const batch = Batch.make({ after: Option.none<bigint>(), through: 1n }, [
      block(plainShape, [{ values: ["1", pan] }]),
      block(plainShape, [{ values: [pan, "x"] }])
    ])
    const passed = yield* Stream.runCollect(stage(Stream.succeed(batch)))
    assert.strictEqual((yield* Batch.rows(passed.at(0)!)).length, 2)
    const finding = { table: "public.plain", kind: "card_number", rows: 1 } as const
    assert.deepStrictEqual(yield* Ref.get(told), [
      { ...finding, column: "note" },
      { ...finding, column: "id" }
    ])
  })
)

const stageLaws = StageLaws.laws({
  name: "card guard",
  stage: CardGuard.guard({ tables: [plain], keys: Effect.succeedNone, policy: "tokenise" }),
  rows: Arbitrary.schema(Schema.String).pipe(
    Arbitrary.map((text) => block(plainShape, [{ values: [text.toWellFormed(), pan] }]))
  )
})
for (const law of stageLaws) it.effect(law.name, () => law.check)
