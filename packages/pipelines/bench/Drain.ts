import { Effect } from "effect"
import { Socket } from "node:net"
import { Client } from "pg"
import { publication, slot } from "./Backlog.ts"

/** Bytes read at once, at most. */
const readBytesMax = 1 << 20
/**
 * Rest between two reads, milliseconds. A client that reads at once gets a few changes a read, and spends three times the
 * processor time, which the server beside it lacks on a busy machine.
 */
const restMs = 1
/** Type and length of a protocol message, then kind, start and end LSN and clock of a piece of the stream. */
const headerBytes = 5
const walHeaderBytes = 25

/**
 * The baseline of capture: reads the slot and throws everything away, as fast as this client can. One buffer for all reads; of
 * each message only its length and kind are looked at, to count inserts and to end behind the commit of the last.
 */
export const drain = (url: string, changes: number): Effect.Effect<number> => {
  let seen = 0
  const sql = `START_REPLICATION SLOT ${slot} LOGICAL 0/0 (proto_version '1', publication_names '${publication}', messages 'true')`
  const onMessage = (bytes: Buffer, at: number) => {
    const kind = bytes[at] === 0x64 && bytes[at + headerBytes] === 0x77 ? bytes[at + headerBytes + walHeaderBytes] : 0
    if (kind === 0x49) seen += 1
    return kind === 0x43 && seen >= changes
  }
  return Effect.map(
    receive({ url, sql, isReplication: true, lookBytes: headerBytes + walHeaderBytes, onMessage }),
    () => seen
  )
}

/** The baseline of a snapshot: the shop's tables by COPY, thrown away by the same client. Answers the rows. */
export const copy = (url: string): Effect.Effect<number> => {
  let seen = 0
  const sql = "COPY public.orders TO STDOUT; COPY public.order_lines TO STDOUT"
  const onMessage = (bytes: Buffer, at: number) => {
    if (bytes[at] === 0x64) seen += 1
    return bytes[at] === 0x5a
  }
  return Effect.map(receive({ url, sql, isReplication: false, lookBytes: headerBytes - 1, onMessage }), () => seen)
}

interface Request {
  readonly url: string
  readonly sql: string
  readonly isReplication: boolean
  /** Bytes of a message that `onMessage` looks at, less one. */
  readonly lookBytes: number
  /** A message starts at `at`; `true` ends the reading. */
  readonly onMessage: (bytes: Buffer, at: number) => boolean
}

/** Sends one statement and passes over the messages that come back, whatever reads they are cut into. */
const receive = ({ url, sql, isReplication, lookBytes, onMessage }: Request): Effect.Effect<void> =>
  Effect.promise(async () => {
    let onBytes = (bytes: Buffer): void => void socket.emit("data", Buffer.from(bytes))
    const socket = new Socket({
      onread: {
        buffer: Buffer.allocUnsafe(readBytesMax),
        // Sound: the buffer above is a `Buffer`.
        callback: (length, buffer) => {
          onBytes((buffer as Buffer).subarray(0, length))
          setTimeout(() => socket.resume(), restMs)
          return false
        }
      }
    })
    const client = new Client({
      connectionString: url,
      // Sound: the driver passes `replication` on to the server; its types leave it out.
      ...((isReplication ? { replication: "database" } : {}) as object),
      stream: () => socket
    })
    // The end of the socket is this program's own doing.
    client.on("error", () => {})
    await client.connect()
    await new Promise<void>((resolve) => {
      onBytes = walker(lookBytes, onMessage, resolve)
      const query = Buffer.alloc(headerBytes + sql.length + 1)
      query.write("Q")
      query.writeUInt32BE(sql.length + headerBytes, 1)
      query.write(sql, headerBytes)
      socket.write(query)
    })
    socket.destroy()
  })

const walker = (lookBytes: number, onMessage: Request["onMessage"], done: () => void): ((bytes: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0)
  /** Bytes of a message known already that are still to come. */
  let skip = 0
  return (read) => {
    const bytes = rest.length === 0 ? read : Buffer.concat([rest, read])
    rest = Buffer.alloc(0)
    let at = skip
    while (at + lookBytes < bytes.length) {
      if (onMessage(bytes, at)) return done()
      at += 1 + bytes.readUInt32BE(at + 1)
    }
    skip = Math.max(0, at - bytes.length)
    if (at < bytes.length) rest = Buffer.from(bytes.subarray(at))
  }
}
