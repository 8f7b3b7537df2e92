import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Demo from "../../src/demo/Demo.ts"
import * as Report from "../../src/demo/Report.ts"
import * as Story from "../../src/demo/Story.ts"
import * as Partners from "../../src/Partners.ts"
import * as Payments from "../../src/Payments.ts"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"

/** The command line of the built CLI, on this package's sources. */
const northstar = [
  process.execPath,
  "--conditions=northstar-source",
  fileURLToPath(new URL("../../../cli/bin/northstar.js", import.meta.url))
]

/** Inside the repository: the test runner resolves the imports of a configuration itself, from where it lies. */
const temporary = Effect.acquireRelease(
  Effect.sync(() => {
    const parent = fileURLToPath(new URL("../../.northstar/", import.meta.url))
    mkdirSync(parent, { recursive: true })
    return mkdtempSync(join(parent, "demo-"))
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Processes that the events name, and that still run. */
const running = (events: ReadonlyArray<Story.StoryEvent>): ReadonlyArray<number> =>
  events
    .flatMap((event) => [...Story.line(event).matchAll(/as process (\d+)/g)].map(([, pid]) => Number(pid)))
    .filter((pid) => existsSync(`/proc/${pid}`))

/** Plays a demo in a folder of its own, to an end at which all agree and no process is left. */
const played = Effect.fnUntraced(function* (options: Pick<Demo.DemoOptions, "liveSeconds" | "warehouse">) {
  const folder = yield* temporary
  const events: Array<Story.StoryEvent> = []
  const found = yield* Demo.run({
    folder,
    seed: "test",
    northstar,
    onEvent: (event) => Effect.sync(() => void events.push(event)),
    ...options
  })
  const lines = events.filter(({ _tag }) => _tag === "Step").map(Story.line)
  expect(found.agree ? [] : lines).toEqual([])
  expect(running(events)).toEqual([])
  return { folder, found }
})

/** The demos take minutes: they run where everything runs. */
const full = it.live.skipIf(process.env["NORTHSTAR_DEMO"] !== "full")

full(
  "the demo survives what it does to its three sources, finds the batch it took back, and leaves no process behind",
  () =>
    Effect.gen(function* () {
      const { found } = yield* played({ liveSeconds: 6 })
      const books = [{ currency: "GBP", sourceMinor: 25_178_505n, curatedMinor: 25_178_505n }]
      expect(found.tables.slice(0, 4)).toEqual([
        { table: "customers", sourceRows: 424, curatedRows: 424, differing: 0, money: [] },
        { table: "products", sourceRows: 2246, curatedRows: 2246, differing: 0, money: [] },
        { table: "orders", sourceRows: 698, curatedRows: 698, differing: 0, money: books },
        { table: "order_lines", sourceRows: 14_553, curatedRows: 14_553, differing: 0, money: books }
      ])
      const others = found.tables.slice(4)
      const outside = [...Payments.all, ...Partners.all.map(({ table }) => table)]
      expect(others.map(({ table }) => table)).toEqual(outside.map(({ name }) => name))
      expect(others.filter((table) => !Report.isAgreed(table) || table.sourceRows === 0)).toEqual([])
      expect(found.late.order.moved).toBe(1)
      expect(found.late).toMatchObject({ repeated: 0, removed: 1, refused: 1, cards: { tokens: 1, numbers: 0 } })
      expect(found.outage.wasTold).toBe(true)
      expect(found.secondIngesterRefused).toBe(true)
      expect(found.backfill.changes).toBeGreaterThan(0)
      expect(found.backfill.news).toBe(0)
      expect(found.rollback.differing).toBeGreaterThan(0)
      expect(found.rollback.broughtBack).toBe(found.rollback.changes)
      expect(found.freshness.medianMs).toBeGreaterThan(0)
      expect(found.summary).toContain("agree, to the row and the penny")
      expect(existsSync(found.report)).toBe(true)
    }),
  480_000
)

full(
  "D1 demo: on a local Snowflake it survives the same, agrees with its sources, and holds what DuckDB holds",
  () =>
    Effect.gen(function* () {
      const { folder, found } = yield* played({ warehouse: "snowflake-local" })
      expect(found.tables.filter((table) => !Report.isAgreed(table) || table.sourceRows === 0)).toEqual([])
      expect(found.engines).toMatchObject({ tables: found.tables.length, differing: [] })
      expect(found.engines?.marts).toBeGreaterThan(0)
      expect(found.summary).toContain("every value is equal in Snowflake and DuckDB")
      expect(statSync(join(folder, "snowflake-key.pem")).mode & 0o777).toBe(0o600)
    }),
  900_000
)

it.live("an interrupted demo leaves no process behind", () =>
  Effect.gen(function* () {
    const folder = yield* temporary
    const events: Array<Story.StoryEvent> = []
    const started = yield* Deferred.make<void>()
    const demo = yield* Effect.forkChild(
      Demo.run({
        folder,
        northstar,
        onEvent: (event) => {
          events.push(event)
          return /ingest starts/.test(Story.line(event)) ? Deferred.succeed(started, undefined) : Effect.void
        }
      })
    )
    yield* Effect.raceFirst(Deferred.await(started), Fiber.join(demo))
    expect(running(events)).toHaveLength(1)
    yield* Fiber.interrupt(demo)
    expect(running(events)).toEqual([])
  })
)

it.live("a folder with other files in it is refused and left alone", () =>
  Effect.gen(function* () {
    const folder = fileURLToPath(new URL(".", import.meta.url))
    const error = yield* Effect.flip(Demo.run({ folder, northstar, onEvent: () => Effect.void }))
    expect(error.message).toContain("not of an earlier demo")
    expect(existsSync(fileURLToPath(import.meta.url))).toBe(true)
  })
)
