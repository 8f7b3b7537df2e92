import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { ConnectorError, StorageFull } from "@northstar/core/ConnectorError"
import { Effect } from "effect"

/** A file that a partner puts into the drop folder, with the file of control totals beside it where there is one. */
export interface Delivery {
  readonly key: string
  readonly bytes: Uint8Array
  readonly sidecar?: { readonly key: string; readonly bytes: Uint8Array }
}

/** Encodes text as one-byte Western European. Every character of the text must have a place in it: only ASCII and umlauts are used. */
export const windows1252 = (text: string): Uint8Array => Buffer.from(text, "latin1")

/** Encodes text as UTF-16, little endian, behind a byte order mark. */
export const utf16 = (text: string): Uint8Array => Buffer.from(`\u{feff}${text}`, "utf16le")

/** Text as UTF-8 behind a byte order mark, as spreadsheets write it. */
export const marked = (text: string): Uint8Array => Buffer.from(`\u{feff}${text}`, "utf8")

/** A field, quoted where its text needs it. */
export const field = (text: string, delimiter: string): string =>
  /["\r\n]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text

/**
 * Puts a delivery into a drop folder as a careful uploader does: under a hidden name first, the file of control totals last.
 * `modifiedMs` becomes its time; nobody waits whether a file that old is still being written.
 */
export const drop = (folder: string, delivery: Delivery, modifiedMs: number): Effect.Effect<void, ConnectorError> =>
  Effect.try({
    try: () => {
      put(folder, delivery.key, delivery.bytes, modifiedMs)
      if (delivery.sidecar !== undefined) put(folder, delivery.sidecar.key, delivery.sidecar.bytes, modifiedMs)
    },
    catch: (cause) =>
      new ConnectorError({
        connector: "partners",
        operation: "deliver",
        detail: `${delivery.key} cannot be written into the drop folder`,
        action: "Check its rights and the free space.",
        reason: new StorageFull({ cause })
      })
  })

const put = (folder: string, key: string, bytes: Uint8Array, modifiedMs: number): void => {
  const path = join(folder, key)
  mkdirSync(dirname(path), { recursive: true })
  const hidden = join(dirname(path), `.${basename(path)}`)
  writeFileSync(hidden, bytes)
  utimesSync(hidden, modifiedMs / 1000, modifiedMs / 1000)
  renameSync(hidden, path)
}
