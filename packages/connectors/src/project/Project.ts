import { Redacted } from "effect"
import type { Table } from "@northstar/core/Table"
import type { Exception } from "../landing/Retention.ts"
import type { WalGuard } from "../postgres/Heartbeat.ts"

/**
 * What `northstar.config.ts` exports: one pipeline from a source through a landing log into a warehouse. Plain data:
 * loading a configuration loads no driver.
 */
export interface Project {
  /** Names the pipeline in watermarks, the log and reports. */
  readonly name: string
  readonly source: PostgresConfig
  readonly landing: LandingConfig
  readonly warehouse: WarehouseConfig
  readonly tables: ReadonlyArray<Table>
  readonly marts: ReadonlyArray<Mart>
  /** Recorded decisions that a consumer may hold raw data beyond its retention, each until a day. */
  readonly retentionExceptions: ReadonlyArray<Exception>
}

/** A PostgreSQL database whose changes are captured through one replication slot. */
export interface PostgresConfig {
  readonly kind: "postgres"
  /** Undefined when the environment variable it comes from is not set. */
  readonly url: Redacted.Redacted | undefined
  readonly slot: string
  readonly publication: string
  /** Incarnation of the source that a person has accepted; raise it by one after a restore or a lost slot. From 1. */
  readonly epoch: number
  /** Rows of one snapshot chunk, and the most rows a second that snapshots may read. */
  readonly snapshot: { readonly chunkRows: number; readonly rowsPerSecondMax: number }
  /** Seconds between heartbeats, which keep an idle publication from pinning WAL. */
  readonly heartbeatSeconds: number
  /** WAL held back by the slot, in bytes: from where on to warn, and from where on to act as the policy says. */
  readonly guard: WalGuard
}

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
export type WarehouseConfig = { readonly kind: "duckdb"; readonly file: string }

/** A view for people: one portable SELECT over curated tables. */
export interface Mart {
  readonly name: string
  readonly query: string
}

/** A project; only the parts that differ from the defaults need saying. */
export const define = (options: {
  readonly name: string
  readonly source: PostgresConfig
  readonly landing?: LandingConfig
  readonly warehouse?: WarehouseConfig
  readonly tables: ReadonlyArray<Table>
  readonly marts?: ReadonlyArray<Mart>
  readonly retentionExceptions?: ReadonlyArray<Exception>
}): Project => ({
  name: options.name,
  source: options.source,
  landing: options.landing ?? folder(".northstar/landing"),
  warehouse: options.warehouse ?? duckdb(".northstar/warehouse.duckdb"),
  tables: options.tables,
  marts: options.marts ?? [],
  retentionExceptions: options.retentionExceptions ?? []
})

/** A PostgreSQL source. Slot and publication are created by `northstar source apply`. */
export const postgres = (options: {
  readonly url: string | undefined
  readonly slot?: string
  readonly publication?: string
  readonly epoch?: number
  readonly snapshot?: Partial<PostgresConfig["snapshot"]>
  readonly heartbeatSeconds?: number
  readonly guard?: Partial<WalGuard>
}): PostgresConfig => ({
  kind: "postgres",
  url:
    options.url === undefined || options.url === "" ? undefined : Redacted.make(options.url, { label: "postgres url" }),
  slot: options.slot ?? "northstar",
  publication: options.publication ?? "northstar",
  epoch: options.epoch ?? 1,
  snapshot: { chunkRows: 10_000, rowsPerSecondMax: 100_000, ...options.snapshot },
  heartbeatSeconds: options.heartbeatSeconds ?? 10,
  guard: { warnBytes: 8 * 1024 ** 3, stopBytes: 64 * 1024 ** 3, policy: "warn", ...options.guard }
})

/** A landing log in a local folder. */
export const folder = (path: string): LandingConfig => ({ kind: "folder", folder: path })

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

/** An embedded DuckDB database in one file. */
export const duckdb = (file: string): WarehouseConfig => ({ kind: "duckdb", file })
