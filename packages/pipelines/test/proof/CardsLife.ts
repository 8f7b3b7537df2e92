import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { gzipSync } from "node:zlib"
import type { World } from "@northstar/connectors/local/stripe/World"
import { Clock, Effect } from "effect"
import { utf16 } from "../../src/partners/Delivery.ts"
import { query } from "../Shop.ts"
import type { CardsPlanted } from "./CardsPlanted.ts"
import type { Dice } from "./SourcesDice.ts"
import type { SourcesStand } from "./SourcesStand.ts"

/** Where card data is planted. */
export interface Ground {
  readonly stand: SourcesStand
  readonly world: World
  readonly planted: CardsPlanted
  readonly dice: Dice
}

/** Plants new card data in every column of every source. `round` tells one time from another, from 0. */
export const plant = (ground: Ground, round: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* plantInShop(ground, round)
    for (let payment = 0; payment < 4; payment++) pay(ground)
    const nowMs = yield* Clock.currentTimeMillis
    for (const { bytes, key } of files(ground, round)) put(ground.stand, key, bytes, nowMs - 9000)
  })

const rows = 8

const plantInShop = ({ planted, stand }: Ground, round: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const doc = () =>
      JSON.stringify({ [`key ${planted.spelled()}`]: [planted.sentence(), { number: Number(short(planted)) }] })
    for (let row = 0; row < rows; row++) {
      const id = 1000 * round + row
      const pan = row % 3 === 0 ? planted.verification() : row % 3 === 1 ? planted.number() : planted.spelled()
      yield* query(
        stand.url,
        "insert into payments values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        // Numbers of 19 digits do not fit into bigint.
        [
          id,
          pan,
          planted.verification(),
          planted.sentence(),
          planted.track(),
          doc(),
          [planted.spelled(), planted.sentence()],
          short(planted),
          short(planted),
          planted.number()
        ]
      )
      yield* query(stand.url, "update payments set note = $2, doc = $3 where id = $1", [id, planted.track(), doc()])
      const key = planted.spelled()
      yield* query(stand.url, "insert into cards values ($1, $2, $3)", [key, planted.sentence(), long(planted)])
      // The long text stays where it is, and its row's key becomes an old one.
      yield* query(stand.url, "update cards set number = $2 where number = $1", [key, planted.spelled()])
      const wallet = planted.number()
      yield* query(stand.url, "insert into wallets values ($1, $2, $3)", [
        wallet,
        planted.verification(),
        planted.spelled()
      ])
      if (row % 2 === 0)
        yield* query(stand.url, "update wallets set pan = $2 where pan = $1", [wallet, planted.number()])
      else yield* query(stand.url, "delete from wallets where pan = $1", [wallet])
    }
  })

/** A number that fits into 64 bits, and into a JSON number without losing digits. */
const short = (planted: CardsPlanted): string => {
  const number = planted.number()
  return number.length <= 15 ? number : short(planted)
}

const long = (planted: CardsPlanted): string => `${"long ".repeat(700)}${planted.sentence()}${" text".repeat(700)}`

const pay = ({ planted, world }: Ground): void => {
  world.pay({
    orderId: planted.spelled(),
    amountMinor: 1000,
    currency: "eur",
    description: planted.track(),
    metadata: { [planted.number()]: planted.sentence(), cvc: "in metadata" },
    billing: { name: planted.spelled(), email: `${planted.number()}@example.com` }
  })
  world.addCustomer({ name: planted.sentence(), email: planted.spelled(), metadata: { card: planted.track() } })
}

interface File {
  readonly key: string
  readonly bytes: Uint8Array
}

const files = ({ dice, planted }: Ground, round: number): ReadonlyArray<File> => {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  const head = () => `id,pan,note,amount,paid_at,paid_on,cvv,${quoted(planted.spelled())}`
  const line = () =>
    [
      dice.pick([quoted(planted.spelled()), `plain-${dice.below(1e6)}`]),
      dice.pick([planted.number(), quoted(planted.spelled()), planted.verification()]),
      dice.pick([quoted(planted.sentence()), quoted(`"${planted.spelled()}"\n${planted.track()}`)]),
      dice.pick(["1.50", planted.number()]),
      dice.pick(["2026-11-01T10:00:00Z", quoted(planted.spelled())]),
      dice.pick(["2026-11-01", planted.number()]),
      planted.verification(),
      quoted(planted.spelled()),
      // A field too many: all others may be another's.
      ...(dice.chance(0.2) ? [planted.verification()] : [])
    ].join(",")
  const lines = Array.from({ length: rows }, line)
  const body = [head(), ...lines].join("\n")
  const day = `2026-11-${String(1 + (round % 28)).padStart(2, "0")}`
  const total = (count: number) => `TOTAL,${count},${planted.number()},${quoted(planted.sentence())},,,,`
  const replaced = ["a", "b"].flatMap((name): ReadonlyArray<File> => [
    { key: `replaced/${name}.csv`, bytes: name === "a" ? utf16(`${body}\n`) : gzipSync(`${body}\n`) },
    // The second one's totals are wrong.
    {
      key: `replaced/${name}.csv.ok`,
      bytes: Buffer.from(`rows=${name === "a" || round % 2 === 0 ? rows : planted.number()}\n${planted.sentence()}\n`)
    }
  ])
  const tagged = [
    "pan,note,cvv",
    ...lines.map(() => `${planted.number()},${quoted(planted.sentence())},${planted.verification()}`)
  ]
  return [
    ...replaced,
    { key: `trailed/${day}_${round}.csv`, bytes: Buffer.from(`${body}\n${total(rows)}\n`) },
    { key: `trailed/${day}_${round}_wrong.csv`, bytes: Buffer.from(`${body}\n${total(rows + 1)}\n`) },
    { key: `trailed/${day}_${planted.number()}.csv`, bytes: Buffer.from(`${body}\n${total(rows)}\n`) },
    { key: `trailed/no day ${planted.spelled()}.csv`, bytes: Buffer.from(body) },
    // Without a header its first row stands in its place.
    { key: `trailed/${day}_${round}_headless.csv`, bytes: Buffer.from(`${lines.join("\n")}\n`) },
    { key: `trailed/${day}_${round}_cut.csv`, bytes: gzipSync(body).subarray(0, 200) },
    { key: "tagged/wallets.csv", bytes: Buffer.from(`${tagged.join("\n")}\n`) }
  ]
}

const put = ({ drop }: SourcesStand, key: string, bytes: Uint8Array, modifiedMs: number): void => {
  const path = join(drop, key)
  mkdirSync(dirname(path), { recursive: true })
  const hidden = join(dirname(path), ".new")
  writeFileSync(hidden, bytes)
  utimesSync(hidden, modifiedMs / 1000, modifiedMs / 1000)
  renameSync(hidden, path)
}
