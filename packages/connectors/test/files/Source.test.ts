import { gzipSync } from "node:zlib"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Stream } from "effect"
import * as Column from "@northstar/core/Column"
import { unbounded } from "@northstar/core/Position"
import * as Table from "@northstar/core/Table"
import { SourceLaws } from "@northstar/core/testing"
import * as DropFolder from "../../src/files/DropFolder.ts"
import * as FileContract from "../../src/files/FileContract.ts"
import * as FilesSource from "../../src/files/FilesSource.ts"
import * as Verdict from "../../src/files/Verdict.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import { at, contract, type Delivered, header, inWorld, readAll, rowsOf, shipments, source, world } from "./Drops.ts"
import { memoryStore } from "./MemoryStore.ts"

const lines = (...all: ReadonlyArray<string>): string => all.map((line) => `${line}\n`).join("")
const good = lines(header, "S1;sent;23.11.2026 10:00;1,5;", "S2;sent;23.11.2026 10:01;;x")

const keysOf = ({ rows }: Delivered): string =>
  rows.map(({ op, values }) => `${op === 2 ? "-" : ""}${values["shipment_no"] ?? "?"}`).join(" ")

/** Why each refused delivery was. */
const reasons = Effect.map(FilesSource.refused("shop/partner"), (all) => all.map(({ detail }) => detail))

const history = Effect.gen(function* () {
  const given = yield* world
  const contracts = [contract({ redelivery: "replaces" })]
  yield* Effect.gen(function* () {
    for (const [n, content] of [good, lines(header, "S1;back;23.11.2026 12:00;1,5;"), good, "broken", good].entries()) {
      given.put(`in/${n % 3}.csv`, content, n)
      yield* Effect.orDie(readAll(source(given.path, contracts)))
    }
  })
  return source(given.path, contracts)
})

const laws = (name: string) =>
  SourceLaws.laws({ name, make: history, live: false, comparable: (block) => JSON.stringify(rowsOf(block), text) })
const text = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value)

for (const law of laws("files, store in memory")) it.effect(law.name, () => law.check.pipe(Effect.provide(memoryStore)))
for (const law of laws("files, store in a folder")) {
  const folder = Layer.unwrap(Effect.map(world, ({ store }) => store))
  it.effect(law.name, () => law.check.pipe(Effect.provide(folder)))
}

it.effect(
  "rows land under the table's names, with their time and delivery as version and their number as ordinal",
  () =>
    inWorld(({ path, put }) =>
      Effect.gen(function* () {
        put(
          "in/a.csv",
          lines(
            "note;extra;weight;Sendungsstatus;updated_at;shipment_no",
            'say ""x"";1;"1,5";sent;"23.11.2026 10:00";S1',
            '"a ""b""";2;;\'\';23.11.2026 10:00;S2'
          ).replace('say ""x""', "n")
        )
        const [delivery] = yield* readAll(source(path, [contract({ order: { by: "column", column: "updated_at" } })]))
        assert.deepStrictEqual(delivery?.rows, [
          {
            op: 1,
            position: 1_795_424_400_000_000_001n,
            ordinal: 1,
            flagged: null,
            values: {
              shipment_no: "S1",
              status: "sent",
              updated_at: "2026-11-23 10:00:00+01:00",
              weight: "1.5",
              note: "n"
            }
          },
          {
            op: 1,
            position: 1_795_424_400_000_000_001n,
            ordinal: 2,
            flagged: null,
            values: {
              shipment_no: "S2",
              status: "''",
              updated_at: "2026-11-23 10:00:00+01:00",
              weight: null,
              note: 'a "b"'
            }
          }
        ])
        const accepted = Option.getOrThrow(yield* Verdict.accepted("shop/partner", "1".padStart(20, "0")))
        assert.deepInclude(accepted, { rows: 2, flagged: 0, deleted: 0, extra: ["extra"] })
      })
    )
)

it.effect("the time of rows is a column's, the file name's or the object's", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      put("in/s_20261101_0930.csv", good, 7)
      const pattern = /_(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)_(?<hour>\d\d)(?<minute>\d\d)/
      const orders = [{ by: "column", column: "updated_at" }, { by: "name", pattern }, { by: "modified" }] as const
      const positions = yield* Effect.forEach(orders, (order, n) =>
        Effect.map(
          readAll(source(path, [contract({ order })], { stream: `shop/${n}` })),
          ([one]) => one?.rows[1]?.position
        )
      )
      assert.deepStrictEqual(positions, [
        BigInt(Date.UTC(2026, 10, 23, 9, 1)) * 1_000_000n + 1n,
        BigInt(Date.UTC(2026, 10, 1, 8, 30)) * 1_000_000n + 1n,
        1_795_428_007_000_000_001n
      ])
    })
  )
)

it.effect("a value that is not as its format says stays as it is, and its row is flagged", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      put("in/a.csv", lines(header, "S1;sent;2026-11-23 10:00;1,5;", "S2;sent;23.11.2026 10:00;1.5;", "S3;sent;;1,5;"))
      const [one] = yield* readAll(source(path, [contract({ order: { by: "column", column: "updated_at" } })]))
      assert.deepStrictEqual(
        one?.rows.map(({ flagged, values }) => [flagged, values["updated_at"], values["weight"]]),
        [
          ["unparseable:updated_at", "2026-11-23 10:00", "1.5"],
          ["unparseable:weight", "2026-11-23 10:00:00+01:00", "1.5"],
          ["unordered:updated_at", null, "1.5"]
        ]
      )
    })
  )
)

it.effect("a row that cannot be read lands without a value of the file, but with file and line", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const table = Table.make("traced", {
        source: "partner.traced",
        key: ["id"],
        columns: { id: Column.text, amount: Column.text, file: Column.text, line: Column.int32 }
      })
      const traced = FileContract.make({ table, prefix: "in/", fill: { file: "file", line: "line" } })
      put(
        "in/a.csv",
        Buffer.concat([
          Buffer.from('id,amount\n1,"x"\n\n2,3,737\n"3"4,5\n6,'),
          Buffer.of(0xff),
          Buffer.from("\n7\n8,9")
        ])
      )
      const [one] = yield* readAll(source(path, [traced]))
      const rows = one?.rows.map(({ flagged, ordinal, values: { id, amount, file, line } }) => [
        ordinal,
        flagged,
        id,
        amount,
        file,
        line
      ])
      assert.deepStrictEqual(rows, [
        [1, null, "1", "x", "in/a.csv", "2"],
        [2, "malformed:fields", null, null, "in/a.csv", "4"],
        [3, "malformed:quote", null, null, "in/a.csv", "5"],
        [4, "malformed:encoding", null, null, "in/a.csv", "6"],
        [5, "malformed:fields", null, null, "in/a.csv", "7"],
        [6, null, "8", "9", "in/a.csv", "8"]
      ])
      const accepted = Option.getOrThrow(yield* Verdict.accepted("shop/partner", "1".padStart(20, "0")))
      assert.deepInclude(accepted, { rows: 6, flagged: 4 })
    })
  )
)

it.effect("nasty but sound files are read", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const big = `${header}\n${"S;sent;23.11.2026 10:00;1;\n".repeat(3)}`
      const files: ReadonlyArray<readonly [string | Uint8Array, number]> = [
        [`\ufeff${good}`, 2],
        [`\ufeff"shipment_no"${good.slice(11)}`, 2],
        [Buffer.from(`\ufeff${good}`, "utf16le"), 2],
        [good.replaceAll("\n", "\r\n"), 2],
        [good.replaceAll("\n", "\r"), 2],
        [good.slice(0, -1), 2],
        [`${header}\n`, 0],
        [header, 0],
        [gzipSync(good), 2],
        [`${header};${header.replaceAll(/\w+/g, "x")}\n${"S;sent;23.11.2026 10:00;1;;;;;;\n".repeat(2)}`, 2],
        ["shipment_no;status;updated_at;weight\nS1;sent;23.11.2026 10:00;1\n", 1],
        [`${header}\nS1;sent;23.11.2026 10:00;1;"a\r\nb;""c"""\n`, 1],
        [big, 3]
      ]
      for (const [n, [content]] of files.entries()) put(`in/${String(n).padStart(2, "0")}.csv`, content)
      const all = yield* readAll(source(path, [contract()]))
      assert.deepStrictEqual(
        all.map(({ rows }) => rows.length),
        files.map(([, rows]) => rows)
      )
      assert.isTrue(all.every(({ rows }) => rows.every(({ flagged }) => flagged === null)))
      assert.deepStrictEqual(yield* reasons, [])
      assert.strictEqual(all[11]?.rows[0]?.values["note"], 'a\r\nb;"c"')
    })
  )
)

it.effect("a file that cannot be read is refused whole, says why, and holds up no other", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const broken: ReadonlyArray<readonly [string | Uint8Array, string]> = [
        ["", "empty"],
        ["\n\n", "no header"],
        ["id,name\n1,2\n", "lacks columns of shipments: shipment_no, status, updated_at"],
        [good.replace("status", "state"), "shipments: status"],
        [good.replace("note", "shipment_no"), "twice"],
        [Buffer.from(good, "utf16le"), "zero bytes"],
        [gzipSync(good).subarray(0, 40), "cannot be unpacked"],
        [good.slice(0, -22), "ends in the middle"],
        [`${good}S3;"cut`, "never closed"]
      ]
      put("in/00.csv", good)
      for (const [n, [content]] of broken.entries()) put(`in/${String(n + 1).padStart(2, "0")}.csv`, content)
      put("in/99.csv", good)
      const all = yield* readAll(source(path, [contract()]))
      assert.deepStrictEqual(
        all.map(({ rows }) => rows.length),
        [2, ...broken.map(() => 0), 2]
      )
      const found = yield* reasons
      for (const [n, [, reason]] of broken.entries()) assert.include(found[n], reason)
      // A correct file under the same key settles the matter.
      put("in/01.csv", good, 5)
      yield* readAll(source(path, [contract()]), 11n)
      const after = yield* FilesSource.refused("shop/partner")
      assert.deepStrictEqual(
        after.map(({ isSuperseded }) => isSuperseded),
        [true, ...broken.slice(1).map(() => false)]
      )
    })
  )
)

it.effect("a refused file can be read again under a mended contract", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      put("in/a.csv", good.replace("status", "state"))
      assert.deepStrictEqual((yield* readAll(source(path, [contract()]))).map(keysOf), [""])
      yield* FilesSource.again("shop/partner", 1n)
      const mended = {
        ...contract(),
        table: { ...shipments, columns: { ...shipments.columns, status: Column.renamedFrom(Column.text, "state") } }
      }
      assert.deepStrictEqual((yield* readAll(source(path, [mended]))).map(keysOf), ["", "S1 S2"])
    })
  )
)

it.effect("control totals are held: a trailer's, a sidecar's, with sums", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const trailer = contract({
        name: "with a trailer",
        prefix: "t/",
        control: { kind: "trailer", mark: "END", count: 1, sum: { field: 2, column: "weight" } }
      })
      const sidecar = contract({
        name: "with a sidecar",
        prefix: "s/",
        control: { kind: "sidecar", suffix: ".ctl", pattern: /rows=(?<rows>\d+) sum=(?<sum>[\d.]+)/, sumOf: "weight" }
      })
      put("t/1.csv", `${good}END;2;1,50\n`, 1)
      put("t/2.csv", good, 2)
      put("t/3.csv", `${good}END;3;1,5\n`, 3)
      put("t/4.csv", `${good}END;2;1,6\n`, 4)
      put("t/5.csv", `${good}END;2;1,5\nS3;sent;23.11.2026 10:00;1;\n`, 5)
      put("t/6.csv", `${good}S9;x\nEND;3;999\n`, 6)
      put("s/1.csv", good, 7)
      put("s/2.csv", good, 8)
      put("s/2.csv.ctl", "rows=2 sum=1.5", 8)
      put("s/3.csv", good, 9)
      put("s/3.csv.ctl", "rows=3 sum=1.5", 9)
      const from = source(path, [trailer, sidecar])
      const expected = ["S1 S2", "", "", "", "", "S1 S2 ?", "S1 S2", ""]
      assert.deepStrictEqual((yield* readAll(from)).map(keysOf), expected)
      const found = yield* reasons
      assert.deepStrictEqual(
        ["no trailer", "another number", "sum", "follow the trailer", "another number"].map((part, n) =>
          found[n]?.includes(part)
        ),
        [true, true, true, true, true]
      )
      // A file waits for its totals, and new totals are a new delivery.
      put("s/1.csv.ctl", "rows=2 sum=1.5", 10)
      put("s/3.csv.ctl", "rows=2 sum=1.5", 11)
      assert.deepStrictEqual((yield* readAll(from, 8n)).map(keysOf), ["S1 S2", "S1 S2"])
    })
  )
)

it.effect("a delivery that replaces deletes what it lacks, at the version of what it takes back", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const from = source(path, [contract({ redelivery: "replaces" })])
      const rows = (...ids: ReadonlyArray<string>) =>
        lines(header, ...ids.map((id) => `${id};sent;23.11.2026 10:00;1;`))
      const deliveries: ReadonlyArray<readonly [string, string]> = [
        [rows("A", "B", "C"), "A B C"],
        [rows("B", "D"), "B D -A -C"],
        ["broken", ""],
        [rows("D"), "D -B"],
        // A row that cannot be read may be any: nothing is deleted until a clean delivery comes.
        [`${rows("E")}X;Y\n`, "E ?"],
        [rows("E"), "E -D"],
        [lines(header), "-E"]
      ]
      const all: Array<Delivered> = []
      for (const [n, [content]] of deliveries.entries()) {
        put("in/stock.csv", content, n * 60)
        all.push(...(yield* readAll(from, BigInt(n))))
      }
      assert.deepStrictEqual(
        all.map(keysOf),
        deliveries.map(([, keys]) => keys)
      )
      const [removed] = all[1]?.rows.filter(({ op }) => op === 2) ?? []
      assert.deepInclude(removed, { position: 1_795_428_000_000_000_002n, ordinal: 3 })
      assert.deepStrictEqual(removed?.values, {
        shipment_no: "A",
        status: null,
        updated_at: null,
        weight: null,
        note: null
      })
      // What no delivery to come is compared with is forgotten.
      yield* Effect.scoped(Effect.flatMap(from.open, (reader) => Effect.flatMap(at(4n), reader.release)))
      const store = yield* ObjectStore
      const kept = yield* Stream.runCollect(
        Stream.map(store.list("shop/partner/keys/"), ({ key }) => Number(key.split("/")[3]))
      )
      assert.deepStrictEqual([...new Set(kept)], [2, 4, 5, 6])
    })
  )
)

it.effect("keys of many buckets are compared like those of one", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const from = source(path, [contract({ redelivery: "replaces" })])
      const file = (ids: ReadonlyArray<number>, padding: number) =>
        lines(header, ...ids.map((id) => `S${id};sent;23.11.2026 10:00;1;${"x".repeat(padding)}`))
      const all = Array.from({ length: 3_000 }, (_, n) => n)
      // 3 kB a row: more than a bucket's worth of bytes.
      put("in/a.csv", file(all, 8_000), 1)
      yield* readAll(from)
      put(
        "in/a.csv",
        file(
          all.filter((id) => id % 3 > 0),
          0
        ),
        2
      )
      const [second] = yield* readAll(from, 1n)
      assert.strictEqual(second?.rows.filter(({ op }) => op === 2).length, 1_000)
      put(
        "in/a.csv",
        file(
          all.filter((id) => id % 3 === 0),
          20_000
        ),
        3
      )
      const [third] = yield* readAll(from, 2n)
      assert.strictEqual(third?.rows.filter(({ op }) => op === 2).length, 2_000)
    })
  )
)

it.effect("a name that holds a card number is stored masked and its file refused, once", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const cards = {
        maskName: (name: string) => name.replaceAll(/\d{13,19}/g, "[card]"),
        protect: <A>(block: A) => block
      }
      put("in/4111111111111111.csv", good)
      put("in/5555555555554444.csv", good.replace("S1", "S7"))
      for (let n = 0; n < 3; n++) {
        const all = yield* readAll(source(path, [contract()], { cards }))
        assert.deepStrictEqual(all.map(keysOf), ["", ""])
      }
      const refused = yield* FilesSource.refused("shop/partner")
      assert.deepStrictEqual(
        refused.map(({ key }) => key),
        ["in/[card].csv", "in/[card].csv"]
      )
      const store = yield* ObjectStore
      const objects = yield* Stream.runCollect(Stream.mapEffect(store.list("shop/"), ({ key }) => store.get(key)))
      assert.notInclude(Buffer.concat(objects).toString(), "4111111111111111")
    })
  )
)

it.effect("C1 card data: keys are stored as the guard makes them, and deletes carry them so", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const masked = (block: Parameters<FilesSource.Cards["protect"]>[0]) => ({
        ...block,
        columns: block.columns.map(({ bytes, present }) => ({
          present,
          bytes: Buffer.from(
            Buffer.from(bytes).toString("latin1").replaceAll("4111111111111111", "tok_567890123456"),
            "latin1"
          )
        }))
      })
      const cards = { maskName: (name: string) => name, protect: masked }
      const from = source(path, [contract({ redelivery: "replaces" })], { cards })
      put("in/a.csv", lines(header, "4111111111111111;sent;23.11.2026 10:00;1;", "S2;sent;23.11.2026 10:00;1;"), 1)
      yield* readAll(from)
      put("in/a.csv", lines(header, "S2;sent;23.11.2026 10:00;1;"), 2)
      assert.deepStrictEqual((yield* readAll(from, 1n)).map(keysOf), ["S2 -tok_567890123456"])
      const store = yield* ObjectStore
      const objects = yield* Stream.runCollect(Stream.mapEffect(store.list("shop/"), ({ key }) => store.get(key)))
      assert.notInclude(Buffer.concat(objects).toString("latin1"), "4111111111111111")
    })
  )
)

it.effect("a file that is replaced before it is read is the next delivery", () =>
  inWorld(({ path, put, remove }) =>
    Effect.gen(function* () {
      const from = source(path, [contract()])
      put("in/a.csv", good, 1)
      put("in/b.csv", good, 2)
      put("in/c.csv", good, 3)
      const all = yield* Effect.scoped(
        Effect.gen(function* () {
          const reader = yield* from.open
          yield* reader.head
          put("in/a.csv", good.replace("S1", "S9"), 4)
          remove("in/b.csv")
          return yield* readAll(from)
        })
      )
      assert.deepStrictEqual(all.map(keysOf), ["", "", "S1 S2", "S9 S2"])
    })
  )
)

it.effect("what was captured for good is not refused when it is read once more and has gone", () =>
  inWorld(({ path, put, remove }) =>
    Effect.gen(function* () {
      const from = source(path, [contract()])
      put("in/a.csv", good)
      yield* readAll(from)
      yield* Effect.scoped(Effect.flatMap(from.open, (reader) => Effect.flatMap(at(1n), reader.release)))
      remove("in/a.csv")
      const error = yield* Effect.flip(readAll(from))
      assert.strictEqual(error._tag === "ConnectorError" ? error.reason._tag : "", "HistoryLost")
      assert.deepStrictEqual(yield* reasons, [])
    })
  )
)

it.effect("a large file passes in bounded memory", () =>
  inWorld(() =>
    Effect.gen(function* () {
      const line = "S12345678;sent;23.11.2026 10:00;1,5;somebody was not at home\n"
      const piece = Buffer.from(line.repeat(4_000))
      const pieces = 600
      const one = { key: "in/big.csv", version: "1", bytes: header.length + 1 + piece.length * pieces, modifiedMs: 0 }
      async function* bytes() {
        yield Buffer.from(`${header}\n`)
        for (let n = 0; n < pieces; n++) yield piece
      }
      const drop: DropFolder.DropFolder = {
        name: "test",
        list: () => Stream.succeed(one),
        open: bytes,
        hint: Effect.never,
        failure: (_, cause) => cause as never
      }
      const from = source("", [contract()], { drop: Effect.succeed(drop) })
      const reader = yield* from.open
      const before = process.memoryUsage().rss
      let peak = 0
      let rows = 0
      yield* reader.read({ ...unbounded, through: yield* reader.head }).pipe(
        Stream.flatMap(({ chunks }) => chunks),
        Stream.runForEach((blocks) =>
          Effect.sync(() => {
            for (const block of blocks) rows += block.rows
            peak = Math.max(peak, process.memoryUsage().rss)
          })
        )
      )
      assert.strictEqual(rows, 4_000 * pieces)
      assert.isBelow(peak - before, 256 << 20)
    })
  )
)
