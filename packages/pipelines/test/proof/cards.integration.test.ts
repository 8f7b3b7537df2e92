import { spawnSync } from "node:child_process"
import { createHmac } from "node:crypto"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { DuckDBInstance } from "@duckdb/node-api"
import { expect, it } from "@effect/vitest"
import * as LocalStripe from "@northstar/connectors/local/stripe/LocalStripe"
import * as Postgres from "@northstar/connectors/local/Postgres"
import { Console, Effect } from "effect"
import { written } from "../../../connectors/test/cards/CardNumbers.ts"
import { query } from "../Shop.ts"
import * as CardsLife from "./CardsLife.ts"
import { CardsPlanted } from "./CardsPlanted.ts"
import * as CardsScan from "./CardsScan.ts"
import * as CardsStand from "./CardsStand.ts"
import * as Oracle from "./Oracle.ts"
import type { Ended } from "./Process.ts"
import * as Settings from "./Settings.ts"
import { Dice } from "./SourcesDice.ts"
import * as SourcesProcess from "./SourcesProcess.ts"
import * as SourcesStand from "./SourcesStand.ts"
import * as Stand from "./Stand.ts"

/** Any key will do; processes inherit it. */
const key = Buffer.from("a key that nobody uses but a test".padEnd(48, "."))
process.env["NORTHSTAR_CARD_KEYS"] = key.toString("base64")

const kills = Settings.isSourcesFull ? 120 : 2

/** About as many failpoints as an ingest passes. */
const pointsMax = 500

it.effect(
  "C1 card data: the search finds what is planted in bytes, in segments and in a warehouse, however it is spelled",
  () =>
    Effect.gen(function* () {
      const folder = yield* Stand.folder
      const planted = new CardsPlanted(new Dice("search"))
      const numbers = Array.from({ length: 40 }, () => planted.number())
      const rows = numbers.flatMap((number, at) => written.map((write) => `${at}: ${write(number)}`))
      const plain = (text: string) => Buffer.from(`before ${text} behind`)
      for (const [at, number] of numbers.entries()) {
        for (const write of written) {
          for (const bytes of [plain(write(number)), Buffer.from(`x ${write(number)}`, "utf16le")]) {
            expect([at, write(number), CardsScan.hits({ numbers: [number], texts: [] }, bytes)]).toEqual([
              at,
              write(number),
              [number]
            ])
          }
        }
      }
      expect(CardsScan.hits(planted, plain("1234567890123456"))).toEqual([])
      expect((yield* CardsScan.scan(folder, planted)).problems).toEqual([])

      yield* Effect.promise(async () => {
        const instance = await DuckDBInstance.create(join(folder, "warehouse.duckdb"))
        const connection = await instance.connect()
        const list = rows.map((row) => `('${row}')`).join(", ")
        await connection.run(`CREATE TABLE hidden AS SELECT * FROM (VALUES ${list}) AS rows(note)`)
        await connection.run(`COPY hidden TO '${join(folder, "segment")}' (FORMAT parquet, COMPRESSION zstd)`)
        connection.closeSync()
        instance.closeSync()
      })
      mkdirSync(join(folder, "a/b"), { recursive: true })
      writeFileSync(join(folder, "a/b", numbers[0] ?? ""), "")
      const { problems } = yield* CardsScan.scan(folder, planted)
      for (const number of numbers) {
        expect(problems).toContain(`rows of segment: ${number}`)
        expect(problems).toContain(`warehouse.duckdb, main.hidden: ${number}`)
      }
      expect(problems).toContain(`a/b/${numbers[0]}: ${numbers[0]}`)
    }).pipe(Effect.scoped)
)

for (const policy of Settings.isSourcesFull ? (["tokenise", "quarantine"] as const) : (["tokenise"] as const)) {
  it.live(
    `C1 card data: nothing that is written holds what was planted everywhere, killed anywhere, under the policy "${policy}"`,
    () =>
      Effect.gen(function* () {
        const seed = `${policy} ${Settings.seed}`
        yield* Console.log(`card data: NORTHSTAR_SEED=${Settings.seed}`)
        const dice = new Dice(seed)
        const planted = new CardsPlanted(dice)
        const server = yield* Postgres.start()
        const local = yield* LocalStripe.start({ seed })
        const stand = yield* makeStand(server.url, local, planted, policy)
        const ground = { stand, planted, dice, world: local.world }
        const said: Array<string> = []
        const hear = ({ output, said: error }: Ended) => said.push(output, error)

        for (let round = 0; round < kills; round++) {
          yield* CardsLife.plant(ground, round)
          // Where there are fewer failpoints than that, it ends well.
          hear(yield* SourcesProcess.run(stand, { step: "*", nth: 1 + dice.below(pointsMax) }))
        }
        yield* CardsLife.plant(ground, kills)
        hear(yield* SourcesProcess.catchUp(stand))
        yield* isProtected(stand)
        for (const ended of yield* failures(stand, planted)) hear(ended)
        said.push(...commands(stand))

        const { files, problems } = yield* CardsScan.scan(stand.folder, planted)
        const heard = said.flatMap((text) =>
          CardsScan.hits(planted, Buffer.from(text)).map((hit) => `said: ${hit}: ${around(text, hit)}`)
        )
        yield* Console.log(
          `card data: ${planted.numbers.length} numbers and ${planted.texts.length} values planted, ${files} files and ${said.length} outputs searched`
        )
        expect([...new Set([...problems, ...heard])]).toEqual([])
      }).pipe(Effect.scoped),
    Settings.isSourcesFull ? 1_800_000 : 300_000
  )
}

const around = (text: string, hit: string): string => text.slice(Math.max(0, text.indexOf(hit) - 80), text.indexOf(hit))

const makeStand = (
  url: string,
  { apiKey, host, port }: LocalStripe.LocalStripe,
  planted: CardsPlanted,
  cards: "tokenise" | "quarantine"
) =>
  Effect.gen(function* () {
    const shop = yield* Stand.make(url, "cards")
    yield* query(shop.url, CardsStand.schema(planted.number()))
    yield* Stand.publish(shop, CardsStand.tables)
    const drop = yield* Stand.folder
    const stripe = { apiKey, endpoint: `http://${host}:${port}` }
    const stand: SourcesStand.SourcesStand = { ...shop, stripe, drop, cards }
    SourcesStand.setClock(stand, 0)
    const from = JSON.stringify(pathToFileURL(join(import.meta.dirname, "CardsStand.ts")).href)
    const text = `import * as CardsStand from ${from}\nexport default CardsStand.project(JSON.parse(process.env.NORTHSTAR_PROOF))\n`
    writeFileSync(join(stand.folder, "northstar.config.ts"), text)
    return stand
  })

/** What should be there instead is there: else nothing found would mean nothing. */
const isProtected = (stand: SourcesStand.SourcesStand) =>
  Effect.gen(function* () {
    const read = (sql: string) => Oracle.readWarehouse(stand, sql)
    const shown = yield* read(
      `SELECT pan, pan_last4 FROM curated.payments WHERE pan IS NOT NULL UNION ALL
        SELECT source_values ->> '$.pan', source_values ->> '$.pan_last4' FROM northstar.quarantine
        WHERE table_name = 'payments' AND (source_values ->> '$.pan') IS NOT NULL`
    )
    const source = yield* query(stand.url, "select pan from payments where pan not like 'CVV%'")
    const expected = source.map(({ pan }) => {
      const digits = String(pan).replaceAll(/\D/g, "").replace(/^0+/, "")
      return `tok_v1_${createHmac("sha256", key).update(digits).digest("base64url")} ${digits.slice(-4)}`
    })
    expect(new Set(shown.map(([pan, last4]) => `${pan} ${last4}`))).toEqual(new Set(expected))
    for (const { name } of [
      ...CardsStand.tables,
      { name: "stripe_charge" },
      { name: "stripe_customer" },
      ...CardsStand.contracts.map(({ table }) => table)
    ]) {
      const [[rows] = []] = yield* read(
        `SELECT ((SELECT count(*) FROM curated.${name}) + (SELECT count(*) FROM northstar.quarantine WHERE table_name = '${name}'))::VARCHAR`
      )
      expect([name, Number(rows) > 0]).toEqual([name, true])
    }
  })

/** Everything that the tool shows of a project, as text and as JSON. */
const commands = (stand: SourcesStand.SourcesStand): ReadonlyArray<string> => {
  const run = (...args: ReadonlyArray<string>): string => {
    const program = join(import.meta.dirname, "CardsCommand.ts")
    const { stderr, stdout } = spawnSync(process.execPath, ["--conditions=northstar-source", program, ...args], {
      cwd: stand.folder,
      encoding: "utf8",
      env: { ...process.env, NORTHSTAR_PROOF: JSON.stringify(stand) }
    })
    return `${stdout}${stderr}`
  }
  const all = [
    ["status"],
    ["quarantine/list", "--last", "1000", "--unmask"],
    ["runs/list"],
    ["files/list"],
    ["doctor"],
    ["query", "select * from curated.payments"],
    ["query", "select * from curated.cards"],
    ["query", "select cast(note as int) from curated.payments"],
    ["query", "select * from northstar.quarantine"]
  ]
  // Every start of the tool takes a second: the sample hears most of it as JSON alone.
  const said = all.flatMap((args, at) => [
    Settings.isSourcesFull || at === 0 ? run(...args) : "",
    run(...args, "--json", "--debug")
  ])
  // Sound: the first two outputs that are lists name their entries so.
  const first = (text: string | undefined, pattern: RegExp): string => pattern.exec(text ?? "")?.[1] ?? ""
  const change = first(said[3], /"id": "([^"]+)"/)
  const started = first(said[5], /"run": "([^"]+)"/)
  expect([change, started].map((text) => text === "")).toEqual([false, false])
  return [
    ...said,
    run("quarantine/show", change, "--unmask"),
    run("quarantine/show", change, "--unmask", "--json"),
    run("runs/show", started),
    run("runs/show", started, "--json")
  ]
}

/** Ingests whose sources answer with errors that quote card data. */
const failures = (stand: SourcesStand.SourcesStand, planted: CardsPlanted) =>
  Effect.gen(function* () {
    const port = yield* Effect.acquireRelease(
      Effect.callback<{ port: number; close: () => void }>((resume) => {
        const server = createServer((_, response) => {
          const error = {
            type: "invalid_request_error",
            code: planted.spelled(),
            param: planted.number(),
            message: planted.sentence()
          }
          response.writeHead(400, { "content-type": "application/json", "request-id": `req_${planted.number()}` })
          response.end(JSON.stringify({ error }))
        })
        server.listen(0, "127.0.0.1", () =>
          // Sound: it listens on a port.
          resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close: () => server.close() }))
        )
      }),
      ({ close }) => Effect.sync(close)
    )
    const refused = { ...stand, stripe: { ...stand.stripe, endpoint: `http://127.0.0.1:${port.port}` } }
    const stripe = yield* SourcesProcess.run(refused)
    expect(stripe.code).toBe(1)
    // The server evaluates the filter for each change, and quotes what is no identifier.
    yield* query(stand.url, "alter table cards replica identity full")
    const filter = "array_length(parse_ident(note), 1) > 0"
    yield* query(stand.url, `alter publication northstar set table payments, cards where (${filter}), wallets`)
    yield* query(stand.url, "insert into cards values ($1, $2, 'x')", [
      planted.number(),
      planted.spelled().replace(/(\d{4})/, "$1 ")
    ])
    const postgres = yield* SourcesProcess.run(stand)
    expect(postgres.code).toBe(1)
    // A file in the place of a folder, with a number for a name.
    rmSync(stand.drop, { recursive: true })
    const files = yield* SourcesProcess.run({ ...stand, drop: join(stand.drop, planted.number()) })
    expect(files.code).toBe(1)
    return [stripe, postgres, files]
  })
