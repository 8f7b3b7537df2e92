/**
 * Writer of Apache Thrift's compact protocol, as far as Parquet's page headers and footer need it.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
export class ThriftWriter {
  #bytes = new Uint8Array(512)
  #length = 0
  #lastField = 0
  readonly #outer: Array<number> = []

  /** Field of type i32 (or an enum). */
  int32(field: number, value: number): this {
    this.#field(field, 5)
    return this.#varint(BigInt.asUintN(32, BigInt((value << 1) ^ (value >> 31))))
  }

  /** Field of type i64. */
  int64(field: number, value: number): this {
    this.#field(field, 6)
    return this.#varint(BigInt(value) << 1n)
  }

  /** Field of type bool. */
  bool(field: number, value: boolean): this {
    return this.#field(field, value ? 1 : 2)
  }

  /** Field of type string. */
  text(field: number, value: string): this {
    return this.#field(field, 8).#text(value)
  }

  /** Field that is a struct: `write` writes its fields. */
  struct(field: number, write: (struct: this) => void): this {
    return this.#field(field, 12).element(write)
  }

  /** Field that is a list of structs. */
  structs<A>(field: number, items: ReadonlyArray<A>, write: (struct: this, item: A) => void): this {
    this.#field(field, 9).#list(items.length, 12)
    for (const item of items) this.element((struct) => write(struct, item))
    return this
  }

  /** Field that is a list of i32 (or enums). */
  int32s(field: number, items: ReadonlyArray<number>): this {
    this.#field(field, 9).#list(items.length, 5)
    for (const item of items) this.#varint(BigInt(item) << 1n)
    return this
  }

  /** Field that is a list of strings. */
  texts(field: number, items: ReadonlyArray<string>): this {
    this.#field(field, 9).#list(items.length, 8)
    for (const item of items) this.#text(item)
    return this
  }

  /** A struct without a field header: the outermost one, or an element of a list. */
  element(write: (struct: this) => void): this {
    this.#outer.push(this.#lastField)
    this.#lastField = 0
    write(this)
    this.#lastField = this.#outer.pop() ?? 0
    return this.#byte(0)
  }

  /** Everything written so far. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #field(field: number, type: number): this {
    // Parquet's structs are written in field order with gaps below 16, so the short form always serves.
    this.#byte(((field - this.#lastField) << 4) | type)
    this.#lastField = field
    return this
  }

  #list(length: number, type: number): this {
    if (length < 15) return this.#byte((length << 4) | type)
    return this.#byte(0xf0 | type).#varint(BigInt(length))
  }

  #text(value: string): this {
    const bytes = Buffer.from(value, "utf8")
    this.#varint(BigInt(bytes.length)).#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  #varint(value: bigint): this {
    let rest = value
    for (; rest > 0x7fn; rest >>= 7n) this.#byte(Number(rest & 0x7fn) | 0x80)
    return this.#byte(Number(rest))
  }

  #byte(byte: number): this {
    this.#reserve(1)
    this.#bytes[this.#length++] = byte
    return this
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
