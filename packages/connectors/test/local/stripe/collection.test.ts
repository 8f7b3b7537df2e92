import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Collection, type PageQuery } from "../../../src/local/stripe/Collection.ts"

const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))
const Item = Schema.Struct({ second: Small, colour: Small, size: Small, lag: Small })
const Query = Schema.Struct({
  limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
  cursor: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
  direction: Schema.Literals(["after", "before", "none"]),
  from: Small,
  through: Small,
  colours: Schema.Array(Small),
  sizes: Schema.Array(Small),
  linked: Schema.Boolean,
  now: Small
})

interface Thing {
  readonly id: string
  readonly created: number
  readonly colour: string
  readonly size: string
  readonly listedFrom: number
  readonly isLinked: boolean
}

it.effect.prop(
  "a page of a collection is what filtering and sorting everything gives",
  [Schema.NonEmptyArray(Item), Query],
  ([items, query]) =>
    Effect.sync(() => {
      const collection = new Collection<Thing>({ colour: (it) => it.colour }, { size: (it) => it.size })
      const things = items
        .toSorted((a, b) => a.second - b.second)
        .map((item, index): Thing => {
          const [colour, size] = [String(item.colour), String(item.size)]
          const listedFrom = item.lag
          return { id: `t_${index}`, created: item.second, colour, size, listedFrom, isLinked: index % 3 === 0 }
        })
      for (const thing of things) {
        collection.add(thing, thing.listedFrom)
        if (thing.isLinked) collection.link("payout", "po", thing.id)
      }
      const cursor = query.cursor % things.length
      const where: PageQuery["where"] = [
        ...(query.colours.length === 0 ? [] : [["colour", query.colours.map(String)] as const]),
        ...(query.sizes.length === 0 ? [] : [["size", query.sizes.map(String)] as const]),
        ...(query.linked ? [["payout", ["po"]] as const] : [])
      ]
      const page = collection.page(
        {
          limit: query.limit,
          startingAfter: query.direction === "after" ? `t_${cursor}` : undefined,
          endingBefore: query.direction === "before" ? `t_${cursor}` : undefined,
          createdFrom: query.from,
          createdThrough: query.through,
          where
        },
        query.now
      )
      const matching = things.filter(
        (it, index) =>
          it.created >= query.from &&
          it.created <= query.through &&
          it.listedFrom <= query.now &&
          (query.colours.length === 0 || query.colours.map(String).includes(it.colour)) &&
          (query.sizes.length === 0 || query.sizes.map(String).includes(it.size)) &&
          (!query.linked || it.isLinked) &&
          (query.direction !== "after" || index < cursor) &&
          (query.direction !== "before" || index > cursor)
      )
      const isBefore = query.direction === "before"
      const expected = isBefore ? matching.slice(0, query.limit) : matching.slice(-query.limit)
      assert.deepEqual(page.data, expected.toReversed())
      assert.strictEqual(page.hasMore, matching.length > query.limit)
    }),
  { arbitrary: { runs: 500 } }
)
