import type { Table } from "@northstar/core/Table"
import { type Block, opDelete, opTruncate, opUpsert, type Relation } from "../landing/Block.ts"
import { BlockBuilder, type Sizes } from "../landing/BlockBuilder.ts"
import * as Shape from "./Shape.ts"
import { Cursor, Tuple } from "./Tuple.ts"
import { Malformed } from "./Wire.ts"

/** What the stream says besides rows. LSNs as PostgreSQL sends them, times in Unix microseconds. */
export interface Events {
  /** `commitLsn`: start of the commit record, the version position of every row of the transaction. */
  readonly begin: (xid: number, commitLsn: bigint, committedAtUs: bigint) => void
  /** `endLsn`: end of the commit record. */
  readonly commit: (endLsn: bigint) => void
  /** A logical message; outside transactions `lsn` is its record's end, and all earlier commits have been sent. */
  readonly message: (prefix: string, content: string, lsn: bigint) => void
}

/** What a decoder needs to know. */
export interface Options {
  /** By name at the source. Changes of other tables are counted, not kept. */
  readonly tables: ReadonlyMap<string, Table>
  /** The server's name of a type with its modifier, such as `numeric(12,2)`; `undefined` while it is being looked up. */
  readonly typeName: (oid: number, typmod: number) => string | undefined
  readonly events: Events
}

/**
 * Decodes `pgoutput`, protocol version 1, into blocks, one per shape of a table. Malformed bytes throw `Malformed`, after
 * which nothing decoded since the last `take` is to be used.
 */
export class Decoder {
  /** Rows and (about) bytes decoded since the last `take`. */
  rows = 0
  bytes = 0
  private readonly options: Options
  private readonly relations = new Map<number, Shape.Shape>()
  private builders = new Map<string, BlockBuilder>()
  /** Of each relation's newest block. */
  private readonly sizes = new Map<string, Sizes>()
  private readonly cursor = new Cursor()
  private readonly before = new Tuple()
  private readonly fresh = new Tuple()
  private isOpen = false
  private commitLsn = 0n
  private committedAtUs = 0n
  private ordinal = 0

  constructor(options: Options) {
    this.options = options
  }

  /**
   * Decodes one message. Answers the types (OID, modifier) that must be looked up first; then nothing has happened, and
   * the same message is to come again.
   */
  decode(buffer: Buffer, start: number, end: number): ReadonlyArray<readonly [number, number]> {
    const cursor = this.cursor.reset(buffer, start, end)
    const type = cursor.byte()
    if (type === insert) this.insert(cursor)
    else if (type === update) this.update(cursor)
    else if (type === remove) this.remove(cursor)
    else if (type === begin) this.begin(cursor)
    else if (type === commit) this.commit(cursor)
    else if (type === relation) return this.relation(cursor)
    else if (type === truncate) this.truncate(cursor)
    else if (type === message) this.message(cursor)
    // Origins and types say nothing that rows need: the server itself is asked for a type's name.
    else if (type === origin || type === typeMessage) return none
    else throw new Malformed(`a message of unknown type ${type}`)
    cursor.mustBeAtEnd()
    this.bytes += end - start
    return none
  }

  /** The blocks of everything decoded since the last `take`. */
  take(): ReadonlyArray<Block> {
    const blocks = Array.from(this.builders.values(), (builder) => {
      this.sizes.set(builder.relation.fingerprint, builder.sizes)
      return builder.finish()
    })
    this.builders = new Map()
    for (const shape of this.relations.values()) shape.builder = undefined
    this.rows = 0
    this.bytes = 0
    return blocks
  }

  private begin(cursor: Cursor): void {
    if (this.isOpen) throw new Malformed("a transaction begins inside another")
    this.isOpen = true
    this.commitLsn = cursor.int64()
    this.committedAtUs = cursor.int64() + epochUs
    this.ordinal = 0
    this.options.events.begin(cursor.uint32(), this.commitLsn, this.committedAtUs)
  }

  private commit(cursor: Cursor): void {
    cursor.byte()
    const commitLsn = cursor.int64()
    const endLsn = cursor.int64()
    cursor.int64()
    if (!this.isOpen || commitLsn !== this.commitLsn) throw new Malformed("a commit without its begin")
    this.isOpen = false
    this.options.events.commit(endLsn)
  }

  private message(cursor: Cursor): void {
    cursor.byte()
    const lsn = cursor.int64()
    const prefix = cursor.text()
    const content = cursor.bytes(cursor.uint32())
    this.options.events.message(prefix, content, lsn)
  }

  private insert(cursor: Cursor): void {
    const shape = this.shape(cursor.uint32())
    cursor.expect(newTuple)
    this.row(shape, opUpsert)
    Shape.writeValues(shape, this.fresh.read(cursor, shape.targets.length), undefined)
  }

  private update(cursor: Cursor): void {
    const shape = this.shape(cursor.uint32())
    const width = shape.targets.length
    let kind = cursor.byte()
    let before: Tuple | undefined
    if (kind === keyTuple || kind === oldTuple) {
      before = this.before.read(cursor, width)
      kind = cursor.byte()
    }
    if (kind !== newTuple) throw new Malformed("an update without its new row")
    const fresh = this.fresh.read(cursor, width)
    if (before === undefined || !Shape.isMoved(shape, before, fresh)) {
      this.row(shape, opUpsert)
    } else {
      this.row(shape, opDelete)
      Shape.writeKey(shape, before)
      this.row(shape, opUpsert)
      shape.builder?.movedFrom(JSON.stringify(shape.key.map((index) => before.text(index))))
    }
    Shape.writeValues(shape, fresh, before)
  }

  private remove(cursor: Cursor): void {
    const shape = this.shape(cursor.uint32())
    const kind = cursor.byte()
    if (kind !== keyTuple && kind !== oldTuple) throw new Malformed("a delete without its old key")
    this.row(shape, opDelete)
    Shape.writeKey(shape, this.before.read(cursor, shape.targets.length))
  }

  private truncate(cursor: Cursor): void {
    const count = cursor.uint32()
    cursor.byte()
    for (let i = 0; i < count; i++) this.row(this.shape(cursor.uint32()), opTruncate)
  }

  /** Begins a row of the open transaction. Tables we do not keep count too: ordinals do not depend on our settings. */
  private row(shape: Shape.Shape, op: number): void {
    if (!this.isOpen) throw new Malformed("a change outside of any transaction")
    const ordinal = this.ordinal++
    if (shape.relation === undefined) return
    shape.builder ??= this.builder(shape.relation)
    shape.builder.begin(op, this.commitLsn, ordinal, this.committedAtUs)
    this.rows += 1
  }

  private builder(relation: Relation): BlockBuilder {
    const known = this.builders.get(relation.fingerprint)
    const builder = known ?? new BlockBuilder(relation, this.sizes.get(relation.fingerprint))
    if (known === undefined) this.builders.set(relation.fingerprint, builder)
    return builder
  }

  private shape(oid: number): Shape.Shape {
    const shape = this.relations.get(oid)
    if (shape === undefined) throw new Malformed("a change of a relation that was not described")
    return shape
  }

  private relation(cursor: Cursor): ReadonlyArray<readonly [number, number]> {
    const oid = cursor.uint32()
    const schema = cursor.text()
    const source = `${schema === "" ? "pg_catalog" : schema}.${cursor.text()}`
    const identity = cursor.byte()
    const wanted: Array<readonly [number, number]> = []
    const columns = Array.from({ length: cursor.uint16() }, () => {
      const isKey = cursor.byte() === 1
      const name = cursor.text()
      const typeOid = cursor.uint32()
      const typmod = cursor.int32()
      const type = this.options.typeName(typeOid, typmod)
      if (type === undefined) wanted.push([typeOid, typmod])
      return { name, type: type ?? "", isKey }
    })
    cursor.mustBeAtEnd()
    const table = this.options.tables.get(source)
    if (table === undefined) {
      this.relations.set(oid, Shape.ignored(columns.length))
      return none
    }
    if (wanted.length > 0) return wanted
    this.relations.set(oid, Shape.make(table, columns, identity === identityFull))
    return none
  }
}

const none: ReadonlyArray<readonly [number, number]> = []
/** PostgreSQL counts from 2000-01-01. */
const epochUs = 946_684_800_000_000n
const begin = 0x42
const commit = 0x43
const remove = 0x44
const insert = 0x49
const message = 0x4d
const origin = 0x4f
const relation = 0x52
const truncate = 0x54
const update = 0x55
const typeMessage = 0x59
const keyTuple = 0x4b
const newTuple = 0x4e
const oldTuple = 0x4f
const identityFull = 0x66
