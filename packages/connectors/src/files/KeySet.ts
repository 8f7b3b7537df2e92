import { createHash } from "node:crypto"
import { Effect, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { type Block, opDelete, type Relation, type TextColumn } from "../landing/Block.ts"
import { BlockBuilder, relation as makeRelation } from "../landing/BlockBuilder.ts"
import { ObjectStore } from "../landing/ObjectStore.ts"
import { positionUnit } from "./Rows.ts"
import * as Sealed from "./Sealed.ts"

/**
 * The keys of one delivery, so that the next one of the same file can tell what it lacks: objects
 * `<folder>/keys/<sequence>/<bucket>-<part>`, records of the key's version and texts and their checksum, spread over buckets by a hash. Whatever
 * a delivery's size, one bucket of the delivery before is held in memory at a time.
 */
export interface KeySet {
  readonly folder: string
  /** By bucket the number of its parts. */
  readonly parts: ReadonlyArray<number>
}

/** Bytes of a file that are worth a bucket, and the most buckets. */
const bucketBytes = 8 << 20
const bucketsMax = 256

/** Bytes of keys that are gathered before they are written. */
const gatheredBytesMax = 32 << 20

const deletesPerBlock = 16_384

const step = Failpoint.declare("files.keys", ["part.written"])

/** Folder of a delivery's keys. */
export const folder = (log: string, sequence: string): string => `${log}/keys/${sequence}/`

/** Gathers the keys of a delivery as its blocks go by. */
export class Collector {
  readonly folder: string
  /** Some row's key is not known: what this delivery lacks cannot be told. */
  hasUnknown = false
  private readonly parts: Array<number>
  private readonly buckets: ReadonlyArray<Bucket>
  private readonly key: ReadonlyArray<number>
  private readonly relation: Relation
  private readonly protect: (block: Block) => Block
  private gathered = 0

  /** `protect`: makes a block of keys one that may be stored. `bytes`: the file's size. */
  constructor(folder: string, relation: Relation, bytes: number, protect: (block: Block) => Block) {
    this.folder = folder
    this.protect = protect
    this.key = relation.columns.flatMap(({ key }, index) => (key ? [index] : []))
    this.relation = keysOf(relation)
    const buckets = Math.min(bucketsMax, 2 ** Math.ceil(Math.log2(Math.max(1, bytes / bucketBytes))))
    this.parts = Array.from({ length: buckets }, () => 0)
    this.buckets = this.parts.map(() => new Bucket())
  }

  /** Takes the keys of a block, and writes what has been gathered when it is much. */
  add(block: Block): Effect.Effect<void, ConnectorError, ObjectStore> {
    this.gather(block)
    return this.gathered > gatheredBytesMax ? this.flush : Effect.void
  }

  /** Takes one key, as `restOf` found it in another set. */
  carry({ position, key }: Missing): void {
    this.put(position, key)
  }

  /** Writes what has been gathered. */
  get flush(): Effect.Effect<void, ConnectorError, ObjectStore> {
    return Effect.gen({ self: this }, function* () {
      const store = yield* ObjectStore
      for (const [index, bucket] of this.buckets.entries()) {
        if (bucket.used === 0) continue
        const part = this.parts[index] as number
        yield* store.put(partKey(this.folder, index, part), sealed(bucket.take()))
        yield* step("part.written")
        this.parts[index] = part + 1
      }
      this.gathered = 0
    })
  }

  /** What has been written. */
  get written(): KeySet {
    return { folder: this.folder, parts: [...this.parts] }
  }

  private gather(block: Block): void {
    const columns = this.key.map((index) => block.columns[index] as TextColumn)
    const safe = this.protect({ ...block, relation: this.relation, columns })
    const cursors = columns.map((_, index) => ({ column: safe.columns[index] as TextColumn, at: 0 }))
    for (let row = 0; row < safe.rows; row++) {
      const pieces: Array<Uint8Array> = []
      for (const cursor of cursors) {
        if (cursor.column.present[row] !== 1) continue
        const start = cursor.at
        cursor.at += 4 + lengthAt(cursor.column.bytes, start)
        pieces.push(cursor.column.bytes.subarray(start, cursor.at))
      }
      if (pieces.length < cursors.length) this.hasUnknown = true
      else
        this.put(safe.positions[row] as bigint, pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces))
    }
  }

  private put(position: bigint, key: Uint8Array): void {
    const bucket = this.buckets[hash(key) & (this.buckets.length - 1)] as Bucket
    this.gathered += bucket.add(position, key)
  }
}

/** A key of the delivery before that is not in this one: as text columns, each with its length before it. */
export interface Missing {
  /** The version's position that its row had. */
  readonly position: bigint
  readonly key: Uint8Array
}

/** Keys of `before` that are not in `now`, in pieces, a bucket of `before` at a time. */
export const restOf = (
  before: KeySet,
  now: KeySet
): Stream.Stream<ReadonlyArray<Missing>, ConnectorError, ObjectStore> =>
  Stream.fromIterable(before.parts.keys()).pipe(
    Stream.mapEffect((bucket) =>
      Effect.gen(function* () {
        const rest = new Map<string, Missing>()
        for (const bytes of yield* partsOf(before, bucket)) {
          for (const one of records(bytes)) {
            const name = Buffer.from(one.key).toString("latin1")
            const known = rest.get(name)
            if (known === undefined || known.position < one.position) rest.set(name, one)
          }
        }
        for (const index of now.parts.keys()) {
          const mask = Math.min(before.parts.length, now.parts.length) - 1
          if ((index & mask) !== (bucket & mask) || rest.size === 0) continue
          for (let part = 0; part < (now.parts[index] as number); part++) {
            for (const { key } of records(yield* read(partKey(now.folder, index, part)))) {
              rest.delete(Buffer.from(key).toString("latin1"))
            }
          }
        }
        return [...rest.values()]
      })
    )
  )

/**
 * Deletes of missing keys. Each has the time of the row that it takes back and the number of the delivery that lacks it:
 * so it beats that row, and no fresher one from another file.
 */
export const deletes = (
  missing: ReadonlyArray<Missing>,
  of: {
    readonly relation: Relation
    readonly sequence: bigint
    readonly firstOrdinal: number
    readonly committedAtUs: bigint
  }
): ReadonlyArray<Block> => {
  const columns = of.relation.columns.flatMap(({ key }, index) => (key ? [index] : []))
  const blocks: Array<Block> = []
  for (let from = 0; from < missing.length; from += deletesPerBlock) {
    const builder = new BlockBuilder(of.relation)
    for (const [index, { position, key }] of missing.slice(from, from + deletesPerBlock).entries()) {
      const taken = position - (position % positionUnit) + of.sequence
      builder.begin(opDelete, taken, of.firstOrdinal + from + index, of.committedAtUs)
      let at = 0
      for (const column of columns) {
        const end = at + 4 + lengthAt(key, at)
        builder.value(column, key, at + 4, end)
        at = end
      }
    }
    blocks.push(builder.finish())
  }
  return blocks
}

/** Removes a set that no delivery to come is compared with. */
export const remove = Effect.fn("KeySet.remove")(function* (set: KeySet) {
  const store = yield* ObjectStore
  for (const [bucket, parts] of set.parts.entries()) {
    for (let part = 0; part < parts; part++) yield* store.remove(partKey(set.folder, bucket, part))
  }
})

const partsOf = Effect.fnUntraced(function* (set: KeySet, bucket: number) {
  const parts: Array<Uint8Array> = []
  for (let part = 0; part < (set.parts[bucket] ?? 0); part++) {
    parts.push(yield* read(partKey(set.folder, bucket, part)))
  }
  return parts
})

const digestOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()
const digestBytes = 32

/** A part with its checksum behind it. */
const sealed = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, digestOf(bytes)])

const read = Effect.fnUntraced(function* (key: string) {
  const store = yield* ObjectStore
  const part = yield* store.get(key)
  const bytes = part.subarray(0, -digestBytes)
  if (digestOf(bytes).equals(part.subarray(-digestBytes))) return bytes
  return yield* Sealed.damaged(`${key} does not have the checksum that it was written with`)
})

const keysOf = ({ table, columns }: Relation): Relation =>
  makeRelation(
    table,
    columns.filter(({ key }) => key)
  )

const partKey = (folder: string, bucket: number, part: number): string => `${folder}${bucket}-${part}`

const lengthAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24)

/** FNV-1a: spreads keys over buckets. */
const hash = (bytes: Uint8Array): number => {
  let value = 0x811c9dc5
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193)
  return (value ^ (value >>> 16)) >>> 0
}

/** Records of one bucket: position (8 bytes), length of the key (4), the key. */
class Bucket {
  used = 0
  private bytes = Buffer.allocUnsafe(1 << 10)

  add(position: bigint, key: Uint8Array): number {
    const length = 12 + key.length
    if (this.used + length > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.used + length, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.used))
      this.bytes = grown
    }
    this.bytes.writeBigInt64LE(position, this.used)
    this.bytes.writeUInt32LE(key.length, this.used + 8)
    this.bytes.set(key, this.used + 12)
    this.used += length
    return length
  }

  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.used)
    this.bytes = Buffer.allocUnsafe(1 << 10)
    this.used = 0
    return taken
  }
}

function* records(bytes: Uint8Array): Generator<Missing> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < view.length;) {
    const end = at + 12 + view.readUInt32LE(at + 8)
    yield { position: view.readBigInt64LE(at), key: view.subarray(at + 12, end) }
    at = end
  }
}
