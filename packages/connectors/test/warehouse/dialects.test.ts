import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Schema } from "effect"
import type { Change } from "@northstar/core/Change"
import * as Check from "@northstar/core/Check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Histories, Law } from "@northstar/core/testing"
import { changesOf } from "./Changes.ts"
import { dump } from "./Dump.ts"
import { shared } from "./SnowflakeSubject.ts"
import { fresh, scene, segmentsOf } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-dialects-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const nullable = Column.nullable

/** A table with a column of every type, and with everything that can set a row aside. */
const kinds = Table.make("kinds", {
  columns: {
    id: Column.int64,
    int16: nullable(Column.int16),
    int32: nullable(Column.int32),
    int64: nullable(Column.int64),
    wide: nullable(Column.decimal(38, 0)),
    money: nullable(Column.decimal(12, 2)),
    minor: nullable(Column.int64),
    currency: nullable(Column.text),
    float32: nullable(Column.float32),
    float64: nullable(Column.float64),
    boolean: nullable(Column.boolean),
    text: nullable(Column.text),
    date: nullable(Column.date),
    time: nullable(Column.time),
    timestamp: nullable(Column.timestamp),
    timestamptz: nullable(Column.timestamptz),
    uuid: nullable(Column.uuid),
    bytes: nullable(Column.bytes),
    json: nullable(Column.json)
  },
  key: ["id"],
  businessKey: ["uuid"],
  event: { column: "timestamptz", zone: "Pacific/Auckland" },
  money: [{ amount: "minor", currency: "currency" }],
  checks: [Check.between("int32", { max: "1000" }), Check.oneOf("currency", ["GBP", "EUR"], "warn")]
})
type Name = Exclude<keyof typeof kinds.columns, "id">

const nines = "9".repeat(38)

/** Source texts of each column, the last of most of them not a value of its type. */
const texts: Readonly<Record<Name, ReadonlyArray<string | null>>> = {
  int16: ["-32768", "32767", null, "32768"],
  int32: ["-2147483648", "1000", null, "1001"],
  int64: ["-9223372036854775808", "9223372036854775807", "9223372036854775808"],
  wide: [nines, `-${nines}`, "-0", `1${nines}`],
  money: ["9999999999.99", "-0.01", "5", "1.500", "0.001"],
  minor: ["1999", "-5", null],
  currency: ["GBP", "EUR", "SEK", null],
  float32: ["0.1", "-0", "NaN", "-Infinity", "3.4028235e+38", "1e-45", "1e39"],
  float64: ["0.1", "-0", "NaN", "Infinity", "5e-324", "0.30000000000000004", "1e400"],
  boolean: ["t", "f", null, "maybe"],
  text: ["", "🧾 naïve\u0301 \t\n\"'\\ \u007f", "NULL", "\\N", null],
  date: ["2024-02-29", "0001-01-01", "9999-12-31", "2024-02-30"],
  time: ["00:00:00", "23:59:59.999999", "12:00:00.5", "25:00:00"],
  timestamp: ["2024-02-29 12:00:00.000001", "1900-01-01 00:00:00", "2024-01-01 00:00:00.1234567"],
  timestamptz: ["2024-02-29 12:00:00.000001+00", "2024-07-01 12:00:00+05:30", "2024-04-06 13:59:59.999999+00", null],
  uuid: ["00000000-0000-0000-0000-000000000001", "FFFFFFFF-ffff-4fff-8fff-ffffffffffff", null, "00000000"],
  bytes: ["\\x", "\\x00ff27", "\\x0"],
  json: ['{"n": 12345678901234567890.10}', "null", "[]", null]
}
const names = Object.keys(texts) as ReadonlyArray<Name>

const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 }))
const Id = Schema.Literals(["1", "2", "3", "4", "5"])
const Command = Schema.Struct({
  what: Schema.Literals(["put", "put", "put", "partial", "delete", "move", "truncate"]),
  id: Id,
  to: Id,
  picks: Schema.Array(Small).check(Schema.isMinLength(7), Schema.isMaxLength(30)),
  rank: Small
})

const { put, remove, move, truncate } = changesOf("kinds")

/** Changes of `kinds` as they may arrive: a third of them late. Most columns of a row are of the usual kind. */
const anyChanges = Arbitrary.array(Arbitrary.schema(Command), { minLength: 5, maxLength: 40 }).pipe(
  Arbitrary.map((commands) =>
    commands
      .flatMap(({ what, id, to, picks, rank }, index): ReadonlyArray<readonly [number, Change<Histories.Row>]> => {
        const at = index + 1
        const pick = (column: number) => picks[column % picks.length] ?? 0
        const values = Object.fromEntries(
          names.map((name, column) => {
            const of = texts[name]
            const usual = pick(column) < 90 ? of.length - 1 : of.length
            return [name, of[(pick(column) + column) % Math.max(1, usual)] ?? null]
          })
        )
        const left = what === "put" ? [] : names.filter((_, column) => pick(column + 1) % 3 === 0)
        const row = { id, ...values }
        const changes =
          what === "truncate"
            ? rank < 20
              ? [truncate(at)]
              : []
            : what === "delete"
              ? [remove(at, id)]
              : what === "move"
                ? move(at, id, { ...row, id: id === to ? `${id}0` : to }, left)
                : [put(at, row, { leavesOut: left })]
        return changes.map((change) => [rank % 3 === 0 ? at + rank / 4 : at, change] as const)
      })
      .toSorted(([left], [right]) => left - right)
      .map(([, change]) => change)
  )
)

const input = Arbitrary.all({
  delivery: Histories.deliveries({ partial: true, truncates: true, losses: true }),
  changes: anyChanges
})

/** At most so many batches a run, and the tables that they carry. */
const batchesMax = 3
const tables = [...Histories.tables, kinds]
const snowflake = shared()

/** Changes that end every run: a row that is held, one with a finding, a truncate that comes late and removes nothing. Chance may leave the tables of random histories empty. */
const last = [
  ...Histories.tables.flatMap(({ name }) => {
    const { put } = changesOf(name)
    const row = (id: string) => ({ id, amount: "7", note: "n", memo: null })
    return [put(90_000, row("90")), put(90_001, row("91"), { leavesOut: ["note"] })]
  }),
  put(90_000, {
    id: "90",
    ...Object.fromEntries(names.map((name) => [name, texts[name][0] ?? null])),
    currency: "SEK"
  }),
  truncate(0)
]

/** Rows that were compared, by what held them: a law about empty tables would say nothing. */
const compared = new Map<string, number>()

const law = Law.property(
  "D1 dialects: the same segments give equal curated rows, histories, quarantine and accounts in DuckDB and Snowflake",
  { input, runs: 2, size: 40 },
  Effect.fnUntraced(function* ({ delivery, changes }) {
    const engines = yield* Effect.all({
      duckdb: Layer.build(fresh(tables, root)),
      snowflake: Layer.build(snowflake.fresh(tables, root))
    })
    const scenes = yield* Effect.all([
      Effect.provideContext(scene(tables), engines.duckdb),
      Effect.provideContext(scene(tables), engines.snowflake)
    ])
    const size = Math.ceil(changes.length / batchesMax)
    for (let index = 0; index < batchesMax; index++) {
      const own = changes.slice(index * size, (index + 1) * size)
      const segments = yield* scenes[0].run(
        segmentsOf(tables, [...(delivery.batches[index] ?? []), ...own, ...(index === batchesMax - 1 ? last : [])])
      )
      for (const { load } of scenes) yield* load(segments)
    }
    const [here, there] = yield* Effect.all([scenes[0].run(dump(tables)), scenes[1].run(dump(tables))])
    for (const [name, rows] of Object.entries(here)) {
      compared.set(name, (compared.get(name) ?? 0) + rows.length)
      yield* Law.same(name, there[name], rows)
    }
  })
)

it.effect(
  law.name,
  () =>
    Effect.andThen(
      law.check,
      Effect.sync(() => {
        const empty = [...compared].flatMap(([name, rows]) => (rows === 0 ? [name] : []))
        assert.deepStrictEqual(empty, [], JSON.stringify([...compared]))
      })
    ),
  1_200_000
)
