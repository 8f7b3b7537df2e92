import { type ChildProcess, execFile, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import * as fs from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { Duration, Effect, type Scope, Schedule } from "effect"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"

/** A running S3 server of our own, with one empty bucket's worth of rights: an account that may do everything. */
export interface Server {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** The programs of Debian's packages `radosgw`, `ceph-mon` and `ceph-osd` that a server needs, and `setpriv` of util-linux. */
const programs = ["ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "setpriv"] as const

type Program = (typeof programs)[number]

/** Whether Ceph's programs are installed here. */
export const available: Effect.Effect<boolean> = Effect.map(
  Effect.forEach(programs, (program) =>
    Effect.promise(async () => {
      const folders = (process.env["PATH"] ?? "").split(delimiter)
      const found = await Promise.all(folders.map((folder) => isExecutable(join(folder, program))))
      return found.includes(true)
    })
  ),
  (found) => found.every(Boolean)
)

/**
 * Starts a Ceph cluster of one monitor, one storage daemon that keeps everything in memory, and the S3 gateway, on free
 * ports of 127.0.0.1, in about two seconds. It ends with the scope, and with this process whatever ends it: the
 * kernel sends each daemon SIGKILL when its parent dies.
 */
export const start: Effect.Effect<Server, ConnectorError, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    attempt("make its folder", () => fs.mkdtemp(join(tmpdir(), "northstar-ceph-"))),
    (folder) => Effect.ignore(attempt("remove its folder", () => fs.rm(folder, { recursive: true, force: true })))
  )
  const [monitorPort, gatewayPort] = yield* Effect.all([freePort, freePort])
  const cluster = randomUUID()
  const storage = randomUUID()
  yield* attempt("write its configuration", async () => {
    for (const name of ["mon", "osd", "rgw"]) await fs.mkdir(join(folder, name))
    await fs.writeFile(join(folder, "keyring"), "")
    await fs.writeFile(join(folder, "ceph.conf"), configuration({ folder, cluster, monitorPort, gatewayPort }))
  })
  const monmap = join(folder, "monmap")
  const address = `[v2:127.0.0.1:${monitorPort}]`
  yield* run(folder, "monmaptool", ["--create", "--addv", "a", address, "--fsid", cluster, monmap])
  yield* run(folder, "ceph-mon", ["--mkfs", "-i", "a", "--monmap", monmap])
  yield* daemon(folder, "ceph-mon", ["-i", "a"])
  yield* run(folder, "ceph", ["--connect-timeout", "20", "osd", "new", storage, "0"])
  yield* run(folder, "ceph-osd", ["-i", "0", "--mkfs", "--osd-uuid", storage])
  yield* daemon(folder, "ceph-osd", ["-i", "0"])
  yield* daemon(folder, "radosgw", ["-n", "client.admin"])
  const endpoint = `http://127.0.0.1:${gatewayPort}`
  yield* attempt("answer", () => fetch(endpoint)).pipe(
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 400 })
  )
  const keys = { accessKeyId: "northstar", secretAccessKey: "northstar-secret" }
  const [access, secret] = [`--access-key=${keys.accessKeyId}`, `--secret-key=${keys.secretAccessKey}`]
  yield* run(folder, "radosgw-admin", ["user", "create", "--uid=northstar", "--display-name=northstar", access, secret])
  return { endpoint, region: "us-east-1", ...keys }
})

const configuration = (at: {
  readonly folder: string
  readonly cluster: string
  readonly monitorPort: number
  readonly gatewayPort: number
}): string => `[global]
fsid = ${at.cluster}
mon host = v2:127.0.0.1:${at.monitorPort}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
# The gateway asks for an encrypted connection by default, which does not exist without authentication.
ms mon client mode = crc
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
# By default the monitor waits a second before each of the changes that starting makes.
paxos propose interval = 0.01
paxos min wait = 0.01
rgw gc max objs = 1
rgw lc max objs = 1
rgw objexp hints num shards = 1
rgw reshard num logs = 1
rgw dynamic resharding = false
mon data = ${at.folder}/mon
osd data = ${at.folder}/osd
rgw data = ${at.folder}/rgw
run dir = ${at.folder}
admin socket = ${at.folder}/$name.$pid.asok
log file = ${at.folder}/$name.log
log to stderr = false
keyring = ${at.folder}/keyring
# Without tcp_nodelay every answer with a body takes 40 ms longer.
rgw frontends = beast endpoint=127.0.0.1:${at.gatewayPort} tcp_nodelay=1
`

/** Starts a daemon that the scope's end kills: what it holds in memory is worth nothing. */
const daemon = (folder: string, program: Program, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.try({
      try: () =>
        spawn("setpriv", ["--pdeathsig", "KILL", program, ...args, "-f"], {
          stdio: "ignore",
          env: environment(folder)
        }),
      catch: (cause) => failure(`start ${program}`, cause)
    }),
    kill
  )

const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

const runTimeout = Duration.seconds(60)

const run = (folder: string, program: Program, args: ReadonlyArray<string>): Effect.Effect<void, ConnectorError> =>
  Effect.callback((resume) => {
    const options = { env: environment(folder), timeout: Duration.toMillis(runTimeout) }
    const child = execFile(program, args, options, (error) =>
      resume(error === null ? Effect.void : Effect.fail(failure(`run ${program}`, error)))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const environment = (folder: string) => ({ ...process.env, CEPH_CONF: join(folder, "ceph.conf") })

const freePort: Effect.Effect<number, ConnectorError> = Effect.callback((resume) => {
  const server = createServer()
  server.once("error", (cause) => resume(Effect.fail(failure("find a free port", cause))))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const isExecutable = (path: string): Promise<boolean> =>
  fs.access(path, fs.constants.X_OK).then(
    () => true,
    () => false
  )

const attempt = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({ try: run, catch: (cause) => failure(operation, cause) })

const failure = (operation: string, cause: unknown): ConnectorError =>
  new ConnectorError({
    connector: "ceph",
    operation,
    detail: "the local S3 server did not come up",
    action: "Install Debian's packages radosgw, ceph-mon and ceph-osd, and leave it 500 MB of memory",
    reason: new Unavailable({ cause })
  })
