import { assert } from "@effect/vitest"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Feed, type Item } from "../../src/postgres/Feed.ts"
import * as Heartbeat from "../../src/postgres/Heartbeat.ts"
import { Frames, Malformed, readError } from "../../src/postgres/Wire.ts"
import { type Row, rowsOf } from "../postgres/Fixture.ts"
import { type Dice, fuzz } from "./Dice.ts"
import * as Messages from "./Messages.ts"

const table = Table.make("orders", {
  key: ["id"],
  columns: { id: Column.int64, status: Column.text, note: Column.nullable(Column.text) }
})

/** Everything that a feed hands over for these messages, or that they are malformed. */
const fed = (messages: ReadonlyArray<Buffer>): ReadonlyArray<Item> | "malformed" => {
  const items: Array<Item> = []
  const feed = new Feed({
    decoder: { tables: new Map([["public.orders", table]]), typeName: () => "text" },
    limits: { rowsMax: 3, bytesMax: 1e6, lingerMs: 0, idleMs: 0 },
    after: 0n,
    snapshots: {},
    through: undefined,
    isBoundLater: false,
    emit: (item) => items.push(item),
    onPassed: () => {},
    onCommit: () => {},
    onMessage: (content) => void Heartbeat.parse(content)
  })
  return orMalformed(() => {
    for (const message of messages) feed.decode(message, 0, message.length)
    for (let ms = 0; ms < 4; ms++) feed.tick(ms, true)
    return items
  })
}

const orMalformed = <A>(run: () => A): A | "malformed" => {
  try {
    return run()
  } catch (error) {
    assert.instanceOf(error, Malformed)
    return "malformed"
  }
}

const rows = (items: ReadonlyArray<Item>): ReadonlyArray<Row> =>
  items.flatMap((item) => (item._tag === "End" ? [] : rowsOf(item.blocks)))

/** Some transactions, each of some changes. */
const history = (dice: Dice): ReadonlyArray<Buffer> => {
  const messages: Array<Buffer> = [Messages.relation]
  for (let at = 1; at <= 4; at++) {
    const lsn = BigInt(at) * 1000n
    const changes = Array.from({ length: dice.below(5) }, () => dice.pick(Messages.changes))
    messages.push(Messages.begin(lsn), ...changes, Messages.commit(lsn))
  }
  return messages
}

fuzz("pgoutput: damaged messages are malformed, or whole messages of which rows are made", { runs: 2000 }, (dice) => {
  const isHit = (index: number) => index > 0 && dice.below(8) === 0
  const messages = history(dice).map((message, index) => (isHit(index) ? dice.damage(message) : message))
  const items = fed(messages)
  if (items === "malformed") return
  const found = rows(items)
  // A value's own bytes may be any: what tells them is the network's checksum. The shape of every row still holds.
  for (const row of found) assert.isTrue([1, 2, 3].includes(row.op) && row.table === "public.orders")
  const throughs = items.flatMap((item) => (item._tag === "Batch" ? [item.through] : []))
  for (const [index, through] of throughs.entries()) assert.isTrue(index === 0 || through > (throughs[index - 1] ?? 0n))
})

fuzz("pgoutput: a history cut short is the beginning of its rows", { runs: 500 }, (dice) => {
  const messages = history(dice)
  const whole = fed(messages)
  const kept = messages.slice(0, dice.below(messages.length))
  const cut = messages[kept.length] ?? Messages.relation
  const short = cut.subarray(0, dice.below(cut.length))
  const items = fed(kept)
  if (items === "malformed" || whole === "malformed") return assert.fail("an undamaged history is malformed")
  const found = rows(items)
  assert.deepStrictEqual(found, rows(whole).slice(0, found.length))
  assert.strictEqual(fed([...kept, short]), "malformed")
})

fuzz(
  "pgoutput: garbage is malformed or nothing, and no bytes pass for a message that is not whole",
  { runs: 1500 },
  (dice) => {
    const wire = Buffer.concat(history(dice).map(Messages.framed))
    const bytes = dice.below(2) === 0 ? dice.bytes(dice.below(200)) : dice.damage(wire)
    orMalformed(() => {
      const frames = new Frames((_, buffer, start, end) => {
        assert.isTrue(start <= end && end <= buffer.length)
        orMalformed(() => readError(buffer, start, end))
        return true
      })
      for (let at = 0; at < bytes.length;) {
        const size = 1 + dice.below(40)
        frames.push(bytes.subarray(at, at + size))
        at += size
      }
    })
  }
)
