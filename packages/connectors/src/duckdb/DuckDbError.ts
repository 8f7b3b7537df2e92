import {
  Busy,
  ConnectorError,
  InvalidData,
  Misconfigured,
  StorageFull,
  Unauthorized,
  Unavailable
} from "@northstar/core/ConnectorError"
import { conflictReason, mistakeReason } from "../warehouse/Warehouse.ts"

const connector = "duckdb"

/** The first words of a statement, up to its first literal or symbol: enough to find it, never a value. */
const opening = (sql: string): string =>
  /^\s*((?:[a-z_][\w.]*|"[\w.]*")(?:\s+(?:[a-z_][\w.]*|"[\w.]*")){0,3})/i.exec(sql)?.[1]?.slice(0, 80) ?? "a statement"

/** Messages about names in the statement help its author; quoted texts and long numbers in them could be values. */
const namesOnly = (message: string): string =>
  (message.split("\n")[0] ?? "").replaceAll(/'[^']*'?/g, "'…'").replaceAll(/\d[\d .-]{3,}/g, "…")

/** The process that holds the file, from DuckDB's message. */
const holderOf = (message: string): string => /\(PID (\d+)\)/.exec(message)?.[1] ?? "unknown"

type Kind = (subject: { readonly text: string; readonly where: string; readonly file: string }) => {
  readonly detail: string
  readonly action: string
  readonly reason: ConnectorError["reason"]
}

/** The first pattern that a message matches decides; the order matters, as a failed commit also names its cause. */
const kinds: ReadonlyArray<readonly [RegExp, Kind]> = [
  [
    /No space left|Disk quota exceeded|File too large|max_temp_directory_size/,
    ({ where, file }) => {
      const detail = `no space left for ${file} (${where})`
      return { detail, action: "Free or add disk space, then run again", reason: new StorageFull({ cause: detail }) }
    }
  ],
  [
    /Could not set lock/,
    ({ text, file }) => ({
      detail: `${file} is held by process ${holderOf(text)}, which does not serve it to others`,
      action: `Wait for process ${holderOf(text)}, or end it, then run again`,
      reason: new Busy({ holder: `process ${holderOf(text)}` })
    })
  ],
  [
    /Conflict on |[Tt]ransaction conflict|write-write conflict|TransactionContext Error: Failed to commit/,
    ({ where }) => ({
      detail: `transaction conflict (${where})`,
      action: "Run the transaction again",
      reason: conflictReason()
    })
  ],
  [
    /FATAL Error|database has been invalidated|INTERRUPT Error/,
    ({ where, text }) => {
      const detail = text.startsWith("INTERRUPT")
        ? `interrupted (${where})`
        : `the engine stopped after a fatal error (${where})`
      return { detail, action: "Run it again in a new session", reason: new Unavailable({ cause: detail }) }
    }
  ],
  [
    /not a valid DuckDB database file|Corrupt database|Could not read enough bytes|Serialization Error|version number|Is a directory/,
    ({ file }) => {
      const detail = `${file} is not a DuckDB database that this version can read, or is damaged`
      return {
        detail,
        action: "Restore the file from a copy, or move it away and load it again from the landing log",
        reason: new InvalidData({ detail })
      }
    }
  ],
  [
    /Permission denied|Read-only file system|EROFS|Operation not permitted|EACCES|EPERM/,
    ({ file }) => {
      const detail = `no right to read and write ${file} and its folder`
      return { detail, action: "Grant this user read and write on them", reason: new Unauthorized({ cause: detail }) }
    }
  ],
  [
    /Cannot open file|different configuration/,
    ({ file }) => {
      const detail = `${file} cannot be opened`
      return {
        detail,
        action: "Create its folder, and open it with the same settings everywhere in a process",
        reason: new Misconfigured({ detail })
      }
    }
  ],
  [
    /Out of Memory Error/,
    ({ where }) => {
      const detail = `the memory limit is too low for: ${where}`
      return {
        detail,
        action: "Raise memoryLimit, or work on fewer rows at once",
        reason: new Misconfigured({ detail })
      }
    }
  ],
  [
    /^(Parser|Binder|Catalog) Error/,
    ({ text, where }) => {
      const detail = `${namesOnly(text)} (${where})`
      return { detail, action: "Correct the statement", reason: mistakeReason() }
    }
  ],
  [
    // The message of such an error quotes values: only its class is told.
    /^(Conversion|Invalid Input|Mismatch Type|Out of Range) Error/,
    ({ text, where }) => ({
      detail: `${/^[A-Za-z ]+ Error/.exec(text)?.[0] ?? "an error"} in: ${where}`,
      action: "Check the statement and the types of the values it reads",
      reason: mistakeReason()
    })
  ]
]

/**
 * What DuckDB threw, as ours. DuckDB's own text can hold row values (`Could not convert string '…'`), so only its error
 * class and the statement's first words survive; messages about names keep theirs, without quoted texts and numbers.
 */
export const fromDuckDb = (
  operation: string,
  subject: { readonly file: string; readonly sql?: string },
  cause: unknown
): ConnectorError => {
  const text = (cause instanceof Error ? cause.message : String(cause)).replace(/^Failed to [a-z ]+: /, "")
  const where = subject.sql === undefined ? operation : opening(subject.sql)
  const kind = kinds.find(([pattern]) => pattern.test(text))?.[1]
  if (kind !== undefined) {
    return new ConnectorError({ connector, operation, ...kind({ text, where, file: subject.file }) })
  }
  const detail = `${/^([A-Za-z ]{1,40} Error)/.exec(text)?.[1] ?? "an error"} in: ${where}`
  return new ConnectorError({
    connector,
    operation,
    detail,
    action: "Check the statement and the types of the values it reads",
    reason: new InvalidData({ detail })
  })
}

/** A session whose connection is gone; `detail` says how. Retryable in a new session. */
export const lost = (operation: string, detail: string, action = "Run it again in a new session"): ConnectorError =>
  new ConnectorError({ connector, operation, detail, action, reason: new Unavailable({ cause: detail }) })

/** A result or message beyond a limit. */
export const tooLarge = (detail: string): ConnectorError =>
  new ConnectorError({
    connector,
    operation: "query",
    detail,
    action: "Select fewer rows, or aggregate",
    reason: new InvalidData({ detail })
  })

/** Somebody holds the file: another session of this process that is just opening or closing it. */
export const busy = (file: string, holder: string): ConnectorError =>
  new ConnectorError({
    connector,
    operation: "open",
    detail: `${file} is held by ${holder}, which does not serve it to others`,
    action: `Wait for ${holder}, or end it, then run again`,
    reason: new Busy({ holder })
  })
