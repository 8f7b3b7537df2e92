import { crc32, deflateRawSync } from "node:zlib"

/** A file in a zip. */
export interface Member {
  readonly name: string
  readonly bytes: Uint8Array
  /** Sizes and checksum stand behind the content, as writers that do not know them before do. */
  readonly isStreamed?: boolean
  readonly isStored?: boolean
}

/** A zip file of these members. */
export const zip = (members: ReadonlyArray<Member>): Buffer => {
  const parts: Array<Buffer> = []
  const directory: Array<Buffer> = []
  let at = 0
  for (const { name, bytes, isStreamed = false, isStored = false } of members) {
    const packed = isStored ? Buffer.from(bytes) : deflateRawSync(bytes)
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(isStreamed ? 8 : 0, 2)
    fields.writeUInt16LE(isStored ? 0 : 8, 4)
    fields.writeUInt32LE(crc32(bytes), 10)
    fields.writeUInt32LE(packed.length, 14)
    fields.writeUInt32LE(bytes.length, 18)
    fields.writeUInt16LE(name.length, 22)
    const local = Buffer.from(fields)
    if (isStreamed) local.fill(0, 10, 22)
    const sizes = Buffer.concat([Buffer.from("PK\x07\x08", "latin1"), fields.subarray(10, 22)])
    const member = [
      Buffer.from("PK\x03\x04", "latin1"),
      local,
      Buffer.from(name),
      packed,
      ...(isStreamed ? [sizes] : [])
    ]
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(at, 10)
    directory.push(Buffer.from("PK\x01\x02\x14\x00", "latin1"), fields, rest, Buffer.from(name))
    parts.push(...member)
    at += member.reduce((sum, part) => sum + part.length, 0)
  }
  const end = Buffer.alloc(18)
  end.writeUInt16LE(members.length, 4)
  end.writeUInt16LE(members.length, 6)
  end.writeUInt32LE(
    directory.reduce((sum, part) => sum + part.length, 0),
    8
  )
  end.writeUInt32LE(at, 12)
  return Buffer.concat([...parts, ...directory, Buffer.from("PK\x05\x06", "latin1"), end])
}
