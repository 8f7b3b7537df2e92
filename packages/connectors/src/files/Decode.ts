import { crc32, createGunzip, createInflateRaw, type Gunzip, type InflateRaw } from "node:zlib"
import type { Encoding, Limits } from "./FileContract.ts"
import { Refusal } from "./Refusal.ts"

/** Bytes as they come; a driver's failure rejects. */
export type Bytes = AsyncIterable<Uint8Array>

/**
 * A file as UTF-8 text without byte order mark, in pieces: unpacked when it is gzip or a zip of one member, by its first
 * bytes and not by its name, then decoded. What cannot be unpacked or goes beyond the limits is a `Refusal`. Characters
 * that have no UTF-8 form become bytes that are not UTF-8, so that their rows, and only they, are set aside.
 */
export async function* decode(file: Bytes, encoding: Encoding, limits: Limits): AsyncGenerator<Uint8Array> {
  yield* transcode(capped(unpack(file, limits), limits), encoding)
}

/** The text's encoding: what a byte order mark says, else what is stated. The mark itself is removed. */
async function* transcode(bytes: Bytes, stated: Encoding): AsyncGenerator<Uint8Array> {
  const source = new Source(bytes)
  try {
    const head = await source.peek(3)
    if (head.length === 0)
      throw new Refusal("the file is empty", "Ask the partner whether it should be, and to deliver it again")
    const mark = marks.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte))
    const encoding = mark?.encoding ?? stated
    if (mark !== undefined) await source.take(mark.bytes.length)
    const decoder = decoders[encoding]()
    for (let chunk = await source.pull(); chunk !== undefined; chunk = await source.pull()) yield decoder(chunk)
    const rest = decoder(undefined)
    if (rest.length > 0) yield rest
  } finally {
    await source.close()
  }
}

const marks: ReadonlyArray<{ readonly encoding: Encoding; readonly bytes: ReadonlyArray<number> }> = [
  { encoding: "utf-8", bytes: [0xef, 0xbb, 0xbf] },
  { encoding: "utf-16le", bytes: [0xff, 0xfe] },
  { encoding: "utf-16be", bytes: [0xfe, 0xff] }
]

/** Turns a chunk into UTF-8; `undefined` is the end. */
type Decoder = (chunk: Uint8Array | undefined) => Uint8Array

const decoders: Readonly<Record<Encoding, () => Decoder>> = {
  "utf-8": () => (chunk) => chunk ?? nothing,
  "windows-1252": () => (chunk) => singleBytes(chunk ?? nothing, windows1252),
  latin1: () => (chunk) => singleBytes(chunk ?? nothing, latin1),
  "utf-16le": () => utf16(0),
  "utf-16be": () => utf16(1)
}

const nothing = new Uint8Array()
const latin1 = Uint16Array.from({ length: 256 }, (_, byte) => byte)
const windows1252 = Uint16Array.from({ length: 256 }, (_, byte) =>
  new TextDecoder("windows-1252").decode(Uint8Array.of(byte)).charCodeAt(0)
)

/** One character a byte, by a table; every byte has one. */
const singleBytes = (chunk: Uint8Array, table: Uint16Array): Uint8Array => {
  const out = Buffer.allocUnsafe(chunk.length * 3)
  let to = 0
  for (let at = 0; at < chunk.length; at++) to = writeUnit(out, to, table[chunk[at] as number] as number)
  return out.subarray(0, to)
}

/** Writes a code unit outside the surrogates as UTF-8. A surrogate becomes three bytes that are not UTF-8. */
const writeUnit = (out: Uint8Array, to: number, unit: number): number => {
  if (unit < 0x80) {
    out[to] = unit
    return to + 1
  }
  if (unit < 0x800) {
    out[to] = 0xc0 | (unit >> 6)
    out[to + 1] = 0x80 | (unit & 0x3f)
    return to + 2
  }
  out[to] = 0xe0 | (unit >> 12)
  out[to + 1] = 0x80 | ((unit >> 6) & 0x3f)
  out[to + 2] = 0x80 | (unit & 0x3f)
  return to + 3
}

/** `low`: which byte of a unit is its low one. Units and pairs may be cut by chunks; half of one at the end becomes 0xff. */
const utf16 = (low: 0 | 1): Decoder => {
  let byte = -1
  let high = -1
  return (chunk) => {
    const input = chunk ?? nothing
    const out = Buffer.allocUnsafe(input.length * 2 + 8)
    let to = 0
    for (let at = 0; at < input.length; at++) {
      const now = input[at] as number
      if (byte < 0) {
        byte = now
        continue
      }
      const unit = low === 0 ? byte | (now << 8) : now | (byte << 8)
      byte = -1
      const isLow = unit >= 0xdc00 && unit <= 0xdfff
      if (high >= 0 && isLow) {
        const point = 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00)
        out[to++] = 0xf0 | (point >> 18)
        out[to++] = 0x80 | ((point >> 12) & 0x3f)
        out[to++] = 0x80 | ((point >> 6) & 0x3f)
        out[to++] = 0x80 | (point & 0x3f)
        high = -1
        continue
      }
      if (high >= 0) to = writeUnit(out, to, high)
      high = unit >= 0xd800 && unit <= 0xdbff ? unit : -1
      if (high < 0) to = writeUnit(out, to, unit)
    }
    if (chunk === undefined) {
      if (high >= 0) to = writeUnit(out, to, high)
      if (byte >= 0) out[to++] = 0xff
    }
    return out.subarray(0, to)
  }
}

async function* capped(bytes: Bytes, { bytesMax }: Limits): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const chunk of bytes) {
    total += chunk.length
    if (total > bytesMax) throw tooLarge(`the file has more than ${bytesMax} bytes when unpacked`)
    yield chunk
  }
}

const tooLarge = (detail: string): Refusal =>
  new Refusal(
    detail,
    "If the partner's files are really so, raise the limits of the file contract and have it delivered again"
  )

/** Bytes read ahead by need. */
class Source {
  private readonly iterator: AsyncIterator<Uint8Array>
  private held: Uint8Array = nothing

  constructor(bytes: Bytes) {
    this.iterator = bytes[Symbol.asyncIterator]()
  }

  /** The next `length` bytes, fewer only at the end; they stay. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.held.length < length) {
      const next = await this.iterator.next()
      if (next.done === true) break
      this.held = this.held.length === 0 ? next.value : Buffer.concat([this.held, next.value])
    }
    return this.held.subarray(0, length)
  }

  async take(length: number): Promise<Uint8Array> {
    const taken = await this.peek(length)
    this.held = this.held.subarray(taken.length)
    return taken
  }

  /** Puts bytes back in front. */
  restore(bytes: Uint8Array): void {
    this.held = Buffer.concat([bytes, this.held])
  }

  /** Whatever comes next, or `undefined` at the end. */
  async pull(): Promise<Uint8Array | undefined> {
    if (this.held.length > 0) {
      const { held } = this
      this.held = nothing
      return held
    }
    const next = await this.iterator.next()
    return next.done === true ? undefined : next.value
  }

  async close(): Promise<void> {
    await this.iterator.return?.()
  }
}

async function* unpack(file: Bytes, limits: Limits): AsyncGenerator<Uint8Array> {
  const source = new Source(file)
  try {
    const head = await source.peek(4)
    if (head[0] === 0x1f && head[1] === 0x8b) {
      yield* inflate(source, createGunzip({ chunkSize }), limits)
      if ((await source.peek(1)).length > 0) throw new Refusal("the gzip file goes on behind its end")
    } else if (starts(head, [0x50, 0x4b, 0x03, 0x04])) yield* unzip(source, limits)
    else for (let chunk = await source.pull(); chunk !== undefined; chunk = await source.pull()) yield chunk
  } finally {
    await source.close()
  }
}

const starts = (bytes: Uint8Array, with_: ReadonlyArray<number>): boolean =>
  with_.every((byte, index) => bytes[index] === byte)

/** Pieces that come out of an engine. */
const chunkSize = 1 << 18

/** Bytes that come out before the ratio is judged: small files may well be all alike. */
const ratioFrom = 16 * 1024 ** 2

/** What an engine makes of the source, up to where its own format ends; the source then stands there. */
async function* inflate(source: Source, engine: Gunzip | InflateRaw, limits: Limits): AsyncGenerator<Uint8Array> {
  let fed = 0
  let out = 0
  // What the engine has been given and not used up: at its end that belongs to whatever follows.
  let unused: Array<Uint8Array> = []
  const feeding = (async () => {
    while (!engine.destroyed && !engine.readableEnded) {
      const chunk = await source.pull()
      if (chunk === undefined) return void engine.end()
      unused.push(chunk)
      fed += chunk.length
      await new Promise<void>((resolve) => {
        const done = () => {
          engine.off("close", done).off("end", done)
          resolve()
        }
        engine.once("close", done).once("end", done)
        engine.write(chunk, done)
      })
      if (engine.bytesWritten === fed) unused = []
    }
  })()
  feeding.catch((error: unknown) => engine.destroy(error instanceof Error ? error : new Error("reading failed")))
  try {
    for await (const chunk of engine as AsyncIterable<Uint8Array>) {
      out += chunk.length
      if (out > ratioFrom && out > fed * limits.ratioMax) {
        throw tooLarge(`the file unpacks to more than ${limits.ratioMax} times its size`)
      }
      yield chunk
    }
  } catch (error) {
    throw isBroken(error) ? new Refusal("the file cannot be unpacked: it is damaged or cut off") : error
  } finally {
    engine.destroy()
  }
  await feeding
  const given = Buffer.concat(unused)
  source.restore(given.subarray(given.length - (fed - engine.bytesWritten)))
}

const isBroken = (error: unknown): boolean =>
  error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_")

const zipRefusal = (what: string): Refusal =>
  new Refusal(`the zip file ${what}`, "Ask the partner for one unencrypted file in each zip file, or for gzip")

/** The one member of a zip file, as it streams by; checked against its checksum and the directory behind it. */
async function* unzip(source: Source, limits: Limits): AsyncGenerator<Uint8Array> {
  const header = Buffer.from(await source.take(30))
  if (header.length < 30) throw zipRefusal("is cut off")
  const flags = header.readUInt16LE(6)
  const method = header.readUInt16LE(8)
  const size = header.readUInt32LE(18)
  await source.take(header.readUInt16LE(26))
  await source.take(header.readUInt16LE(28))
  const hasDescriptor = (flags & 8) !== 0
  if ((flags & 1) !== 0) throw zipRefusal("is encrypted")
  if (method !== 8 && (method !== 0 || hasDescriptor || size === 0xffffffff)) {
    throw zipRefusal(`is packed in a way that cannot be read as it streams (method ${method})`)
  }
  let checksum = 0
  const member = method === 8 ? inflate(source, createInflateRaw({ chunkSize }), limits) : exactly(source, size)
  for await (const chunk of member) {
    checksum = crc32(chunk, checksum)
    yield chunk
  }
  await checkDirectory(source, hasDescriptor ? undefined : header.readUInt32LE(14), checksum)
}

async function* exactly(source: Source, size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0;) {
    const chunk = await source.take(Math.min(left, 1 << 16))
    if (chunk.length === 0) throw zipRefusal("is cut off")
    left -= chunk.length
    yield chunk
  }
}

/** Directories of one member are small; nothing may follow them. */
const directoryBytesMax = 1 << 18

/** What follows the member: its descriptor, the directory with exactly one entry, the end record. */
const checkDirectory = async (source: Source, stated: number | undefined, checksum: number): Promise<void> => {
  const rest = Buffer.from(await source.peek(directoryBytesMax))
  const entry = rest.indexOf(Buffer.from("PK\x01\x02", "latin1"))
  const end = rest.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"))
  // 24 bytes hold the largest descriptor.
  if (entry < 0 || entry > 24 || end < entry || end + 22 > rest.length) {
    const another = rest.indexOf(Buffer.from("PK\x03\x04", "latin1"))
    throw zipRefusal(another >= 0 && another <= 24 ? "has more than one member" : "is cut off or damaged")
  }
  if (rest.readUInt16LE(end + 10) !== 1) throw zipRefusal("has more than one member")
  if (rest.readUInt32LE(entry + 16) !== checksum || (stated ?? checksum) !== checksum) throw zipRefusal("is damaged")
}
