import type { BlockBuilder } from "../landing/BlockBuilder.ts"
import { Malformed } from "./Wire.ts"

/** Reads one message in place and refuses to read beyond its end. */
export class Cursor {
  buffer: Buffer = Buffer.alloc(0)
  at = 0
  private end = 0

  reset(buffer: Buffer, start: number, end: number): this {
    this.buffer = buffer
    this.at = start
    this.end = end
    return this
  }

  byte(): number {
    return this.buffer[this.skip(1)] as number
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.skip(2))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.skip(4))
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.skip(4))
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.skip(8))
  }

  /** A text that ends with a zero byte. */
  text(): string {
    const stop = this.buffer.indexOf(0, this.at)
    if (stop < 0 || stop >= this.end) throw new Malformed("a name without an end")
    const start = this.skip(stop + 1 - this.at)
    return this.buffer.toString("utf8", start, stop)
  }

  bytes(length: number): string {
    const start = this.skip(length)
    return this.buffer.toString("utf8", start, start + length)
  }

  /** Moves on by `length` bytes and returns where they start. */
  skip(length: number): number {
    const start = this.at
    if (length < 0 || length > this.end - start) throw new Malformed("a message ends too early")
    this.at = start + length
    return start
  }

  expect(byte: number): void {
    if (this.byte() !== byte) throw new Malformed("a message of another shape than announced")
  }

  mustBeAtEnd(): void {
    if (this.at !== this.end) throw new Malformed("a message goes on behind its end")
  }
}

const isNull = -1
const isUnchanged = -2

/** Where the values of one row lie in a message. Reused from row to row. */
export class Tuple {
  private buffer: Buffer = Buffer.alloc(0)
  private starts = new Int32Array(32)
  /** End of the value, or `isNull`, or `isUnchanged`. */
  private ends = new Int32Array(32)

  /** Reads a row of `pgoutput`; a row of another width than `width` is malformed. */
  read(cursor: Cursor, width: number): this {
    this.buffer = cursor.buffer
    if (width > this.starts.length) {
      this.starts = new Int32Array(width)
      this.ends = new Int32Array(width)
    }
    const columns = cursor.uint16()
    if (columns !== width) throw new Malformed(`a row of ${columns} columns where ${width} were announced`)
    for (let index = 0; index < width; index++) {
      const kind = cursor.byte()
      if (kind === 0x74) {
        const length = cursor.uint32()
        const start = cursor.skip(length)
        this.starts[index] = start
        this.ends[index] = start + length
      } else if (kind === 0x6e) this.ends[index] = isNull
      else if (kind === 0x75) this.ends[index] = isUnchanged
      else throw new Malformed(`a value of unknown kind ${kind}`)
    }
    return this
  }

  isText(index: number): boolean {
    return (this.ends[index] as number) >= 0
  }

  isUnchanged(index: number): boolean {
    return this.ends[index] === isUnchanged
  }

  text(index: number): string | null {
    return this.isText(index) ? this.buffer.toString("utf8", this.starts[index], this.ends[index]) : null
  }

  equals(index: number, other: Tuple): boolean {
    return (
      this.isText(index) &&
      other.isText(index) &&
      this.buffer.compare(
        other.buffer,
        other.starts[index],
        other.ends[index],
        this.starts[index],
        this.ends[index]
      ) === 0
    )
  }

  write(index: number, builder: BlockBuilder | undefined, target: number): void {
    builder?.value(target, this.buffer, this.starts[index] as number, this.ends[index] as number)
  }
}
