import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import type { Change } from "@northstar/core/Change"
import * as Check from "@northstar/core/Check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { type Histories, Law } from "@northstar/core/testing"
import { versionNumber } from "../../src/warehouse/Model.ts"
import * as Rollback from "../../src/warehouse/Rollback.ts"
import { changesOf } from "./Changes.ts"
import { contents, fresh, scene } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-quarantine-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const columns = {
  id: Column.int64,
  number: Column.nullable(Column.text),
  amount: Column.int32,
  currency: Column.text,
  memo: Column.nullable(Column.text)
}
const sales = Table.make("sales", {
  columns,
  key: ["id"],
  businessKey: ["number"],
  money: [{ amount: "amount", currency: "currency" }],
  checks: [
    Check.between("amount", { min: "0", max: "1000" }),
    Check.oneOf("currency", ["GBP", "EUR"]),
    Check.oneOf("memo", ["calm", "usual"], "warn")
  ]
})
/** The same table after a person allowed what the checks refuse. */
const relaxed = Table.make("sales", { columns, key: ["id"], money: sales.money as never })
const guarded = Table.make("guarded", {
  columns,
  key: ["id"],
  checks: [Check.between("amount", { min: "0" }, "block")]
})
const tables = [sales, guarded]

const { put, remove, move, truncate } = changesOf("sales")
const row = (id: string, more: Histories.Row = {}) => ({
  id,
  number: `N${id}`,
  amount: "5",
  currency: "GBP",
  memo: "calm",
  ...more
})

const aside = `SELECT json_extract_string(row_key, '$[0]') || ' ' || reason AS what FROM northstar.quarantine WHERE resolved_at IS NULL ORDER BY version`

layer(fresh(tables, root))("quarantine", (it) => {
  const cases: ReadonlyArray<
    readonly [
      name: string,
      batches: ReadonlyArray<ReadonlyArray<Change<Histories.Row>>>,
      reasons: ReadonlyArray<string>,
      keys: ReadonlyArray<string>
    ]
  > = [
    ["a null key", [[put(1, { ...row("1"), id: null })]], ["null_key:id"], []],
    ["a key that is no number", [[put(1, row("x1")), put(1, row("x2"))]], ["unparseable:id", "unparseable:id"], []],
    ["a NULL where the contract has none", [[put(1, row("1", { amount: null }))]], ["null:amount"], []],
    ["a value that its type cannot hold", [[put(1, row("1", { amount: "2147483648" }))]], ["unparseable:amount"], []],
    [
      "a value out of range",
      [[put(1, row("1", { amount: "1001" })), put(2, row("2", { amount: "-1" }))]],
      ["between:amount", "between:amount"],
      []
    ],
    ["a value out of a list", [[put(1, row("1", { currency: "DEM" }))]], ["one_of:currency"], []],
    ["a finding that only warns", [[put(1, row("1", { memo: "odd" }))]], [], ["1"]],
    [
      "the same broken change again",
      [[put(1, row("1", { currency: "DEM" }))], [put(1, row("1", { currency: "DEM" }))]],
      ["one_of:currency"],
      []
    ],
    [
      "a partial change after a quarantined one joins it",
      [
        [put(1, row("1"))],
        [put(2, row("1", { amount: "-1" }))],
        [put(3, { ...row("1"), memo: null }, { leavesOut: ["memo"] })]
      ],
      ["between:amount", "after_quarantined"],
      ["1"]
    ],
    [
      "a whole change resets",
      [[put(1, row("1", { amount: "-1" }))], [put(2, row("1")), put(3, row("1"), { leavesOut: ["memo"] })]],
      ["between:amount"],
      ["1"]
    ],
    [
      "a partial move from a key with a quarantined change joins it",
      [[put(1, row("1"))], [put(2, row("1", { amount: "-1" })), ...move(3, "1", row("2"), ["memo"])]],
      ["between:amount", "after_quarantined"],
      []
    ],
    [
      "a second row of a business key",
      [[put(1, row("1", { number: "A" }))], [put(2, row("2", { number: "A" }))]],
      ["duplicate:number"],
      ["1"]
    ],
    [
      "a business key given up by an update",
      [[put(1, row("1", { number: "A" }))], [put(2, row("1", { number: "B" })), put(3, row("2", { number: "A" }))]],
      [],
      ["1", "2"]
    ],
    [
      "a business key given up by a delete",
      [[put(1, row("1", { number: "A" }))], [remove(2, "1"), put(3, row("2", { number: "A" }))]],
      [],
      ["2"]
    ],
    [
      "a business key given up by a truncate",
      [[put(1, row("1", { number: "A" }))], [truncate(2), put(3, row("2", { number: "A" }))]],
      [],
      ["2"]
    ],
    [
      "a change that leaves the business key out keeps it",
      [
        [
          put(1, row("1", { number: "A" })),
          put(2, row("1"), { leavesOut: ["number"] }),
          put(3, row("2", { number: "A" }))
        ]
      ],
      ["duplicate:number"],
      ["1"]
    ],
    [
      "rows without a business key",
      [[put(1, row("1", { number: null })), put(2, row("2", { number: null }))]],
      [],
      ["1", "2"]
    ]
  ]
  for (const [name, batches, reasons, keys] of cases) {
    it.effect(
      name,
      Effect.fnUntraced(function* () {
        const { publish, query, run } = yield* scene(tables)
        for (const batch of batches) yield* publish(batch)
        const found = yield* query(`SELECT reason FROM northstar.quarantine ORDER BY version, row_key`)
        assert.deepStrictEqual(
          found.map(({ reason }) => reason),
          [...reasons]
        )
        assert.deepStrictEqual([...((yield* run(contents([sales]))).get("sales")?.keys() ?? [])].toSorted(), [...keys])
      })
    )
  }

  it.effect(
    "a quarantined change is kept complete, with its place, and a warning is a finding",
    Effect.fnUntraced(function* () {
      const { load, query, segment } = yield* scene(tables)
      const shape = { columns: [...Object.keys(columns), "extra"] }
      const bad = put(
        7,
        { ...row("1", { amount: "-1", extra: "kept" }), memo: null },
        { leavesOut: ["memo"], ordinal: 3 }
      )
      const landed = yield* segment(sales, [put(6, row("9", { memo: "odd" })), bad], shape)
      yield* load([landed])
      const [kept] = yield* query("SELECT *, CAST(version AS VARCHAR) AS v FROM northstar.quarantine")
      assert.deepStrictEqual(JSON.parse(String(kept?.["source_values"])), {
        ...row("1"),
        amount: "-1",
        memo: null,
        extra: "kept"
      })
      assert.strictEqual(kept?.["v"], String(versionNumber(bad.version)))
      assert.strictEqual(kept?.["segment"], landed.file.path)
      assert.strictEqual(kept?.["unchanged"], '["memo"]')
      assert.strictEqual(kept?.["batch"], "laws/main/00000000000000000001")
      const findings = yield* query(
        "SELECT name, severity, CAST(failed AS INTEGER) AS failed FROM northstar.findings ORDER BY name"
      )
      assert.deepStrictEqual(findings, [
        { name: "new_column:extra", severity: "warn", failed: 0 },
        { name: "one_of:memo", severity: "warn", failed: 1 }
      ])
    })
  )

  it.effect(
    "a replay after the contract was relaxed publishes and resolves what was set aside, with what had joined it",
    Effect.fnUntraced(function* () {
      const { load, query, run, segment } = yield* scene(tables)
      const landed = yield* segment(sales, [
        put(1, row("1", { amount: "-1" })),
        put(2, { ...row("1"), memo: null }, { leavesOut: ["memo"] })
      ])
      yield* load([landed])
      assert.deepStrictEqual((yield* query(aside)).length, 2)
      yield* load([landed], { tables: [relaxed], stream: "backfill/1" })
      assert.deepStrictEqual(yield* query(aside), [])
      const found = (yield* run(contents([sales]))).get("sales")?.get("1")
      assert.deepStrictEqual(found, { ...row("1") })
      const lines = yield* query(
        "SELECT CAST(published AS INTEGER) AS p, CAST(superseded AS INTEGER) AS s FROM northstar.batches WHERE stream = 'backfill/1'"
      )
      assert.deepStrictEqual(lines, [{ p: 1, s: 1 }])
    })
  )

  it.effect(
    "P3 rollback: taking back a batch that published a quarantined change puts it back into quarantine",
    Effect.fnUntraced(function* () {
      const { load, query, run, segment } = yield* scene(tables)
      const landed = yield* segment(sales, [put(1, row("1", { amount: "-1" }))])
      yield* load([landed])
      yield* load([landed], { tables: [relaxed], stream: "backfill/1" })
      assert.deepStrictEqual(yield* query(aside), [])
      yield* run(Rollback.apply([relaxed], "laws/backfill/1/00000000000000000001"))
      assert.deepStrictEqual(yield* query(aside), [{ what: "1 between:amount" }])
      assert.strictEqual((yield* run(contents([sales]))).size, 0)
    })
  )

  it.effect(
    "A2 audit first: nothing of a batch that breaks a blocking check is visible, in no table, and no watermark moves",
    Effect.fnUntraced(function* () {
      const { publish, query, run } = yield* scene(tables)
      const other = changesOf("guarded")
      yield* publish([put(1, row("1")), other.put(1, row("1"))])
      const state = Effect.all([
        run(contents(tables)),
        query("SELECT * FROM northstar.watermarks ORDER BY ALL"),
        query("SELECT * FROM northstar.batches ORDER BY ALL")
      ])
      const before = yield* state
      const failed = yield* Effect.flip(
        publish([put(2, row("2")), other.put(2, row("2")), other.put(3, row("3", { amount: "-1" }))])
      )
      assert.strictEqual(failed._tag, "ExpectationFailed")
      assert.deepStrictEqual(yield* state, before)
    })
  )

  const law = Law.property(
    "E1 batching: what is set aside and what is shown do not depend on how changes are batched",
    { input: stories(), runs: 25, size: 40 },
    Effect.fnUntraced(function* ({ changes, size }) {
      const { publish, query, run } = yield* scene(tables)
      for (let start = 0; start < changes.length; start += size) yield* publish(changes.slice(start, start + size))
      const expected = play(changes)
      const found = yield* query(aside)
      yield* Law.same(
        "what is set aside",
        found.map(({ what }) => what),
        expected.aside
      )
      const rows = (yield* run(contents([sales]))).get("sales") ?? new Map()
      yield* Law.same("the rows", rows, expected.rows)
    })
  )
  it.effect(law.name, () => law.check, 120_000)

  const accounted = Law.property(
    "A1 accounting: every change and every penny of a batch is published, superseded, held or set aside",
    { input: stories(), runs: 10, size: 40 },
    Effect.fnUntraced(function* ({ changes, size }) {
      const { publish, query } = yield* scene(tables)
      for (let start = 0; start < changes.length; start += size) yield* publish(changes.slice(start, start + size))
      const expected = play(changes)
      const found = yield* query(aside)
      yield* Law.same("the accounts", yield* query(accounts), [
        {
          off: 0,
          rows: changes.length === 0 ? null : changes.length,
          aside: changes.length === 0 ? null : found.length
        }
      ])
      const money = yield* query("SELECT money FROM northstar.batches")
      yield* Law.same("the money", total(money.map(({ money }) => String(money))), expected.minor)
    })
  )
  it.effect(accounted.name, () => accounted.check, 120_000)
})

const accounts = `SELECT CAST(count(CASE WHEN rows_in <> published + superseded + quarantined + held OR superseded < 0 THEN 1 END) AS INTEGER) AS off,
  CAST(sum(rows_in) AS INTEGER) AS rows, CAST(sum(quarantined) AS INTEGER) AS aside FROM northstar.batches`

const total = (lines: ReadonlyArray<string>): number =>
  lines
    .flatMap((line) => Object.values((JSON.parse(line) as { amount: Record<string, string> }).amount))
    .reduce((sum, minor) => sum + Number(minor), 0)

/** Random changes of a few rows that quarrel about a few business keys, in order. */
function stories() {
  const Command = Schema.Struct({
    what: Schema.Literals(["whole", "whole", "partial", "delete", "truncate"]),
    id: Schema.Literals(["1", "2", "3", "4"]),
    number: Schema.NullOr(Schema.Literals(["A", "B", "C"])),
    amount: Schema.Literals(["1", "2", "-1"]),
    rare: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
  })
  const size = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })))
  return Arbitrary.all({ commands: Arbitrary.array(Arbitrary.schema(Command), { maxLength: 40 }), size }).pipe(
    Arbitrary.map(({ commands, size }) => {
      const live = new Set<string>()
      const changes = commands.flatMap(
        ({ what, id, number, amount, rare }, index): ReadonlyArray<Change<Histories.Row>> => {
          const at = index + 1
          if (what === "truncate") {
            if (rare > 1) return []
            live.clear()
            return [truncate(at)]
          }
          if (what === "delete") return live.delete(id) ? [remove(at, id)] : []
          const values = { id, number, amount, currency: rare > 6 ? "EUR" : "GBP" }
          if (what === "partial" && live.has(id)) return [put(at, values, { leavesOut: ["memo"] })]
          live.add(id)
          return [put(at, { ...values, memo: `memo ${at}` })]
        }
      )
      return { changes, size }
    })
  )
}

/** The rules, one change after the other. */
const play = (changes: ReadonlyArray<Change<Histories.Row>>) => {
  const rows = new Map<string, Histories.Row>()
  const open = new Set<string>()
  const set: Array<string> = []
  let minor = 0
  for (const change of changes) {
    if (change.op === "truncate") {
      rows.clear()
      continue
    }
    const { key } = change
    if (change.op === "delete") {
      rows.delete(key)
      open.delete(key)
      continue
    }
    const isPartial = change.unchanged.length > 0
    const { amount, number } = change.row
    const isTaken = number !== null && [...rows].some(([other, { number: held }]) => other !== key && held === number)
    const reason =
      amount === "-1"
        ? "between:amount"
        : isPartial && open.has(key)
          ? "after_quarantined"
          : isTaken
            ? "duplicate:number"
            : undefined
    if (reason === undefined) {
      open.delete(key)
      rows.set(key, { ...rows.get(key), ...change.row })
      minor += Number(amount)
    } else {
      open.add(key)
      set.push(`${key} ${reason}`)
    }
  }
  return { rows, aside: set, minor }
}
