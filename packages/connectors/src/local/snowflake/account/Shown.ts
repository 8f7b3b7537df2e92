import type { ResultColumn, ResultTable } from "../Statement.ts"

/** A row by column name. */
export type Cells = Readonly<Record<string, string | null>>

/** Columns of each SHOW, in the documented order; columns that nothing of ours reads are left out. */
const columnsOfShow = {
  WAREHOUSES:
    "name state type size min_cluster_count max_cluster_count started_clusters running queued is_default is_current auto_suspend auto_resume created_on resumed_on owner comment resource_monitor",
  "RESOURCE MONITORS":
    "name credit_quota used_credits remaining_credits level frequency notify_at suspend_at suspend_immediately_at created_on owner comment",
  ROLES:
    "created_on name is_default is_current is_inherited assigned_to_users granted_to_roles granted_roles owner comment",
  USERS: "name created_on login_name comment disabled default_warehouse default_role owner has_rsa_public_key type",
  DATABASES: "created_on name is_default is_current owner comment retention_time",
  SCHEMAS: "created_on name is_default is_current database_name owner comment retention_time",
  TABLES: "created_on name database_name schema_name kind comment cluster_by owner retention_time",
  VIEWS: "created_on name database_name schema_name owner comment text is_secure",
  STAGES: "created_on name database_name schema_name url has_credentials owner comment cloud type storage_integration",
  "FILE FORMATS": "created_on name database_name schema_name type owner comment format_options",
  "MASKING POLICIES": "created_on name database_name schema_name kind owner comment",
  INTEGRATIONS: "name type category enabled comment created_on",
  "GRANTS TO": "created_on privilege granted_on name granted_to grantee_name grant_option granted_by",
  "GRANTS OF": "created_on role granted_to grantee_name granted_by",
  "FUTURE GRANTS": "created_on privilege grant_on name grant_to grantee_name grant_option"
} as const

/** What SHOW can list. */
export type Showing = keyof typeof columnsOfShow

/** Rows with the columns of a SHOW, NULL where a row has none. */
export const result = (showing: Showing, rows: ReadonlyArray<Cells>): ResultTable => {
  const names = columnsOfShow[showing].split(" ")
  return { columns: names.map(columnOf), rows: rows.map((cells) => names.map((name) => cells[name] ?? null)) }
}

const columnOf = (name: string): ResultColumn => {
  if (name === "created_on" || name === "resumed_on") return { name, type: "timestamp_ltz", scale: 3, nullable: true }
  const isNumber = /_count$|^started_clusters$|^running$|^queued$|^auto_suspend$|^assigned_to|^granted_roles$/.test(
    name
  )
  if (isNumber) return { name, type: "fixed", precision: 38, scale: 0, nullable: true }
  return { name, type: "text", nullable: true }
}

/** Seconds since 1970 with nine decimals, as timestamps travel. */
export const instant = (ms: number): string => `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}000000`
