import { Redacted } from "effect"
import type { Table } from "@northstar/core/Table"
import type { FileContract } from "../files/FileContract.ts"
import type { Exception } from "../landing/Retention.ts"
import type { WalGuard } from "../postgres/Heartbeat.ts"
import type { SnowflakeConfig } from "../snowflake/SnowflakeConfig.ts"

/**
 * What `northstar.config.ts` exports: sources, each with a landing log of its own, and one warehouse. Plain data: loading a
 * configuration loads no driver.
 */
export interface Project {
  /** Names the pipeline in watermarks, logs and reports. */
  readonly name: string
  readonly sources: ReadonlyArray<SourceConfig>
  readonly landing: LandingConfig
  readonly warehouse: WarehouseConfig
  /**
   * What becomes of a row with a card number where none belongs; the number itself never lands. `"tokenise"` lets the row go on
   * with a token in its place, `"quarantine"` sets the row aside as well.
   */
  readonly cardNumbers: "tokenise" | "quarantine"
  readonly marts: ReadonlyArray<Mart>
  /** Recorded decisions that a consumer may hold raw data beyond its retention, each until a day. */
  readonly retentionExceptions: ReadonlyArray<Exception>
}

/** Where rows come from. */
export type SourceConfig = PostgresConfig | StripeConfig | FilesConfig

/** One source of a project, with everything that a program over it needs. */
export interface Feed<out S extends SourceConfig = SourceConfig> {
  readonly project: Project
  readonly source: S
  /** The source's tables. */
  readonly tables: ReadonlyArray<Table>
  /** Folder of the source's landing log: `<project>/<source>`. */
  readonly log: string
}

/** A PostgreSQL source of a project. */
export type PostgresFeed = Feed<PostgresConfig>

/** A project's sources, each with what a program over it needs. */
export const feeds = (project: Project): ReadonlyArray<Feed> => project.sources.map((source) => feed(project, source))

/** One source of a project with what a program over it needs. */
export const feed = <S extends SourceConfig>(project: Project, source: S): Feed<S> => ({
  project,
  source,
  tables: source.tables,
  log: `${project.name}/${source.name}`
})

/** The project's PostgreSQL source, if it has one. */
export const postgresFeed = (project: Project): PostgresFeed | undefined => {
  const source = project.sources.find((candidate) => candidate.kind === "postgres")
  return source === undefined ? undefined : feed(project, source)
}

/** Tables of all sources. */
export const tables = (project: Project): ReadonlyArray<Table> => project.sources.flatMap(({ tables }) => tables)

/** What every source has. */
interface Source {
  /** Names the source in logs, watermarks and reports; unique in its project. */
  readonly name: string
  readonly tables: ReadonlyArray<Table>
  /** Incarnation of the source that a person has accepted; raise it by one after a restore or a lost slot. From 1. */
  readonly epoch: number
}

/** A PostgreSQL database whose changes are captured through one replication slot. */
export interface PostgresConfig extends Source {
  readonly kind: "postgres"
  /** Undefined when the environment variable it comes from is not set. */
  readonly url: Redacted.Redacted | undefined
  readonly slot: string
  readonly publication: string
  /** Rows of one snapshot chunk, and the most rows a second that snapshots may read. */
  readonly snapshot: { readonly chunkRows: number; readonly rowsPerSecondMax: number }
  /** Seconds between heartbeats, which keep an idle publication from pinning WAL. */
  readonly heartbeatSeconds: number
  /** WAL held back by the slot, in bytes: from where on to warn, and from where on to act as the policy says. */
  readonly guard: WalGuard
}

/** A Stripe account. */
export interface StripeConfig extends Source {
  readonly kind: "stripe"
  /** Undefined when the environment variable it comes from is not set. */
  readonly apiKey: Redacted.Redacted | undefined
  /** The account's id, `acct_…`: needed for a restricted key that may not read its account, checked for any other. */
  readonly account: string | undefined
  /** Seconds between two looks for news. */
  readonly pollSeconds: number
  /** How far each look reaches back: longer than Stripe's lists and events ever come late. */
  readonly overlapMinutes: number
  /** Hours between two sweeps, which find what no event told, and age in days of the oldest objects that they list again. */
  readonly sweep: { readonly everyHours: number; readonly daysBack: number }
  /** Origin of another server than Stripe's, such as `http://127.0.0.1:4242`. */
  readonly endpoint: string | undefined
  /** What is created before is not read by the first run; it comes when something happens to it. */
  readonly from: Date | undefined
  /** Objects created in `[from, to)` are read again by the next ingest, once for each `id` that is given here. */
  readonly backfill: { readonly id: string; readonly from: Date; readonly to: Date } | undefined
}

/** A drop folder that partners put files into. */
export interface FilesConfig extends Source {
  readonly kind: "files"
  readonly from: DropConfig
  readonly contracts: ReadonlyArray<FileContract>
  /** Seconds between two listings. */
  readonly pollSeconds: number
}

/** Where partners put their files: a folder, or a bucket with an optional SQS queue of its notifications. */
export type DropConfig =
  | { readonly kind: "folder"; readonly folder: string }
  | (Omit<Extract<LandingConfig, { readonly kind: "s3" }>, "spool"> & {
      readonly prefix: string
      readonly queueUrl?: string
    })

/** Where captured changes land. */
export type LandingConfig =
  | { readonly kind: "folder"; readonly folder: string }
  | {
      readonly kind: "s3"
      readonly bucket: string
      readonly region: string
      /** Of another server than AWS. */
      readonly endpoint?: string
      /** `true` for servers without a host name per bucket. */
      readonly forcePathStyle?: boolean
      /** Local folder for the copies that DuckDB reads. */
      readonly spool: string
    }

/** Where curated tables live. */
export type WarehouseConfig =
  | {
      readonly kind: "duckdb"
      readonly file: string
      /** What DuckDB may use in memory, such as `"2GB"`; what does not fit is written beside the file meanwhile. */
      readonly memoryLimit?: string
    }
  | ({ readonly kind: "snowflake" } & SnowflakeConfig)

/** A view for people: one portable SELECT over curated tables. */
export interface Mart {
  readonly name: string
  readonly query: string
}

/** A project; only the parts that differ from the defaults need saying. */
export const define = (options: {
  readonly name: string
  readonly sources: ReadonlyArray<SourceConfig>
  readonly landing?: LandingConfig
  readonly warehouse?: WarehouseConfig
  readonly cardNumbers?: Project["cardNumbers"]
  readonly marts?: ReadonlyArray<Mart>
  readonly retentionExceptions?: ReadonlyArray<Exception>
}): Project => ({
  name: options.name,
  sources: options.sources,
  landing: options.landing ?? folder(".northstar/landing"),
  warehouse: options.warehouse ?? duckdb(".northstar/warehouse.duckdb"),
  cardNumbers: options.cardNumbers ?? "tokenise",
  marts: options.marts ?? [],
  retentionExceptions: options.retentionExceptions ?? []
})

/** A PostgreSQL source. Slot and publication are created by `northstar source apply`. */
export const postgres = (options: {
  readonly url: string | undefined
  readonly tables: ReadonlyArray<Table>
  readonly name?: string
  readonly slot?: string
  readonly publication?: string
  readonly epoch?: number
  readonly snapshot?: Partial<PostgresConfig["snapshot"]>
  readonly heartbeatSeconds?: number
  readonly guard?: Partial<WalGuard>
}): PostgresConfig => ({
  kind: "postgres",
  name: options.name ?? "postgres",
  tables: options.tables,
  url:
    options.url === undefined || options.url === "" ? undefined : Redacted.make(options.url, { label: "postgres url" }),
  slot: options.slot ?? "northstar",
  publication: options.publication ?? "northstar",
  epoch: options.epoch ?? 1,
  snapshot: { chunkRows: 50_000, rowsPerSecondMax: 100_000, ...options.snapshot },
  heartbeatSeconds: options.heartbeatSeconds ?? 10,
  guard: { warnBytes: 8 * 1024 ** 3, stopBytes: 64 * 1024 ** 3, policy: "warn", ...options.guard }
})

/**
 * A Stripe account as a source. By default it is looked at every 30 seconds, 10 minutes back, and swept every 24 hours, 30 days
 * back. `endpoint` names another server than Stripe's.
 */
export const stripe = (options: {
  readonly apiKey: string | undefined
  readonly tables: ReadonlyArray<Table>
  readonly account?: string | undefined
  readonly name?: string
  readonly epoch?: number
  readonly pollSeconds?: number
  readonly overlapMinutes?: number
  readonly sweep?: Partial<StripeConfig["sweep"]>
  readonly endpoint?: string | undefined
  readonly from?: Date
  readonly backfill?: NonNullable<StripeConfig["backfill"]>
}): StripeConfig => ({
  kind: "stripe",
  name: options.name ?? "stripe",
  tables: options.tables,
  epoch: options.epoch ?? 1,
  apiKey:
    options.apiKey === undefined || options.apiKey === ""
      ? undefined
      : Redacted.make(options.apiKey, { label: "stripe key" }),
  account: options.account,
  pollSeconds: options.pollSeconds ?? 30,
  overlapMinutes: options.overlapMinutes ?? 10,
  sweep: { everyHours: 24, daysBack: 30, ...options.sweep },
  endpoint: options.endpoint,
  from: options.from,
  backfill: options.backfill
})

/** A drop folder of partner files as a source. */
export const files = (options: {
  readonly from: DropConfig
  readonly contracts: ReadonlyArray<FileContract>
  readonly name?: string
  readonly epoch?: number
  readonly pollSeconds?: number
}): FilesConfig => ({
  kind: "files",
  name: options.name ?? "files",
  tables: options.contracts.map(({ table }) => table),
  epoch: options.epoch ?? 1,
  from: options.from,
  contracts: options.contracts,
  pollSeconds: options.pollSeconds ?? 60
})

/** A local folder, for a landing log or as a drop folder. */
export const folder = (path: string): Extract<LandingConfig, { readonly kind: "folder" }> => ({
  kind: "folder",
  folder: path
})

/** A prefix of an S3 bucket as a drop folder, with the SQS queue of its notifications where there is one. */
export const dropBucket = (options: Omit<Exclude<DropConfig, { readonly kind: "folder" }>, "kind">): DropConfig => ({
  kind: "s3",
  ...options
})

/** A landing log in an S3 bucket; credentials come from the environment, as the AWS SDK finds them. */
export const s3 = (options: {
  readonly bucket: string
  readonly region: string
  readonly endpoint?: string
  readonly forcePathStyle?: boolean
  readonly spool?: string
}): LandingConfig => ({
  kind: "s3",
  bucket: options.bucket,
  region: options.region,
  ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  ...(options.forcePathStyle === undefined ? {} : { forcePathStyle: options.forcePathStyle }),
  spool: options.spool ?? ".northstar/spool"
})

/**
 * A Snowflake account. Its objects are made by `northstar warehouse apply`, not by the programs; raw data must lie in S3, or
 * in a folder that the local server reads. Role, warehouse and database are by default those that `apply` makes.
 */
export const snowflake = (
  options: Omit<SnowflakeConfig, "privateKey" | "passphrase" | "role" | "warehouse" | "database"> &
    Partial<Pick<SnowflakeConfig, "role" | "warehouse" | "database">> & {
      /** PEM text (PKCS #8), or the file that holds it; undefined when the environment variable it comes from is not set. */
      readonly privateKey: string | undefined | { readonly file: string }
      readonly passphrase?: string | undefined
    }
): WarehouseConfig => {
  const { passphrase, privateKey, ...rest } = options
  return {
    kind: "snowflake",
    role: "NORTHSTAR_PUBLISHER",
    warehouse: "NORTHSTAR_LOAD",
    database: "NORTHSTAR",
    ...rest,
    privateKey:
      typeof privateKey === "object" ? privateKey : Redacted.make(privateKey ?? "", { label: "snowflake key" }),
    ...(passphrase === undefined ? {} : { passphrase: Redacted.make(passphrase, { label: "passphrase" }) })
  }
}

/** An embedded DuckDB database in one file; `memoryLimit` is what it may use in memory, such as `"2GB"`. */
export const duckdb = (file: string, options: { readonly memoryLimit?: string } = {}): WarehouseConfig => ({
  kind: "duckdb",
  file,
  ...options
})
