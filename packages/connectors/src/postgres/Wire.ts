/** A message of the PostgreSQL protocol, in place: its type byte and its body from `start` to before `end`. */
export type OnMessage = (type: number, buffer: Buffer, start: number, end: number) => boolean

/** Longest message that is read, 256 MiB: a row beyond that would not fit into the memory of what comes after. */
const messageBytesMax = 0x1000_0000

/** Bytes that are not what the protocol allows. Thrown inside parsers, turned into `InvalidData` at the socket's edge. */
export class Malformed extends Error {}

/**
 * Cuts a byte stream into protocol messages without copying, but for those that span two reads. `onMessage` answers
 * `false` to hold: the message, and all after it, come again with the next `push`.
 */
export class Frames {
  private readonly onMessage: OnMessage
  private parts: Array<Buffer> = []
  private have = 0
  private want = headerBytes

  constructor(onMessage: OnMessage) {
    this.onMessage = onMessage
  }

  push(chunk: Buffer): void {
    const missing = this.want - this.have
    if (this.have > 0 && missing > 0 && missing < chunk.length) {
      // Only the message that spans two reads is copied, not all that has come behind it.
      this.push(chunk.subarray(0, missing))
      const rest = chunk.subarray(missing)
      if (this.want > 0) return this.push(rest)
      this.have += rest.length
      this.parts.push(rest)
      return
    }
    this.parts.push(chunk)
    this.have += chunk.length
    // A message of many reads is joined once, when it is complete.
    if (this.have < this.want) return
    const buffer = this.parts.length === 1 ? chunk : Buffer.concat(this.parts, this.have)
    this.parts = []
    this.want = headerBytes
    let at = 0
    while (buffer.length - at >= headerBytes) {
      const length = buffer.readUInt32BE(at + 1)
      if (length < 4) throw new Malformed(`a message of ${length} bytes`)
      if (length > messageBytesMax)
        throw new Malformed(`a row of ${length} bytes is longer than the ${messageBytesMax} that are read`)
      const end = at + 1 + length
      if (end > buffer.length) {
        this.want = end - at
        break
      }
      if (!this.onMessage(buffer[at] as number, buffer, at + headerBytes, end)) {
        this.want = 0
        break
      }
      at = end
    }
    this.have = buffer.length - at
    if (this.have > 0) this.parts.push(buffer.subarray(at))
  }
}

/** Type byte and length. */
const headerBytes = 5

/** A simple query. */
export const query = (sql: string): Buffer => message("Q", Buffer.from(`${sql}\0`, "utf8"))

/** A piece of a COPY stream. */
export const copyData = (body: Uint8Array): Buffer => message("d", body)

/** The end of a COPY stream. */
export const copyDone: Buffer = Buffer.from([0x63, 0, 0, 0, 4])

const message = (type: string, body: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(headerBytes + body.length)
  bytes.write(type, 0, "latin1")
  bytes.writeUInt32BE(4 + body.length, 1)
  bytes.set(body, headerBytes)
  return bytes
}

/** The SQLSTATE and the primary message of an ErrorResponse; its details, which may hold row values, are left out. */
export const readError = (
  buffer: Buffer,
  start: number,
  end: number
): { readonly code: string; readonly message: string } => {
  let code = ""
  let text = ""
  for (let at = start; at < end && buffer[at] !== 0;) {
    const stop = buffer.indexOf(0, at)
    if (stop < 0 || stop >= end) throw new Malformed("an error message without an end")
    const value = buffer.toString("utf8", at + 1, stop)
    if (buffer[at] === 0x43) code = value
    if (buffer[at] === 0x4d) text = value
    at = stop + 1
  }
  return { code, message: text }
}

/** Type bytes of the messages that a client meets. */
export const dataRow = 0x44
export const copyBytes = 0x64
export const copyEnd = 0x63
export const errorResponse = 0x45
export const readyForQuery = 0x5a
