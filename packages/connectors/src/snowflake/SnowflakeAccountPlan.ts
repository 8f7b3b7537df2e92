import { type Migration, safe } from "../warehouse/Migrate.ts"
import type { DesiredState, WarehouseObject } from "./SnowflakeObjects.ts"
import { cell, type CurrentState } from "./SnowflakeState.ts"

/** Resource monitors that are missing or have another quota. */
export const monitorMigrations = ({ monitors }: DesiredState, current: CurrentState): ReadonlyArray<Migration> =>
  monitors.flatMap(({ name, creditsPerMonth, level }) => {
    const found = current.monitors.get(name)
    const triggers = "TRIGGERS ON 75 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND ON 110 PERCENT DO SUSPEND_IMMEDIATE"
    const watch = safe(`let ${name} watch the whole account`, `ALTER ACCOUNT SET RESOURCE_MONITOR = ${name}`)
    if (found === undefined) {
      const sql = `CREATE RESOURCE MONITOR ${name} WITH CREDIT_QUOTA = ${creditsPerMonth} FREQUENCY = MONTHLY START_TIMESTAMP = IMMEDIATELY ${triggers}`
      const create = safe(`create resource monitor ${name} of ${creditsPerMonth} credits a month`, sql)
      return level === "ACCOUNT" ? [create, watch] : [create]
    }
    const quota = Number(cell(found, "credit_quota"))
    const stops = cell(found, "suspend_at") === "100%" && cell(found, "suspend_immediately_at") === "110%"
    const change =
      quota === creditsPerMonth && stops
        ? []
        : [
            safe(
              `set resource monitor ${name} from ${quota} to ${creditsPerMonth} credits a month`,
              `ALTER RESOURCE MONITOR ${name} SET CREDIT_QUOTA = ${creditsPerMonth} ${triggers}`
            )
          ]
    return level === "ACCOUNT" && cell(found, "level") !== "ACCOUNT" ? [...change, watch] : change
  })

const warehouseSql = (warehouse: WarehouseObject): string =>
  `WAREHOUSE_SIZE = ${warehouse.size} AUTO_SUSPEND = ${warehouse.autoSuspendSeconds} AUTO_RESUME = TRUE RESOURCE_MONITOR = ${warehouse.monitor} STATEMENT_TIMEOUT_IN_SECONDS = ${warehouse.statementTimeoutSeconds}`

/** Warehouses that are missing or were changed by hand. */
export const warehouseMigrations = ({ warehouses }: DesiredState, current: CurrentState): ReadonlyArray<Migration> =>
  warehouses.flatMap((warehouse) => {
    const { name, size, autoSuspendSeconds, monitor } = warehouse
    const found = current.warehouses.get(name)
    if (found === undefined) {
      const sql = `CREATE WAREHOUSE ${name} ${warehouseSql(warehouse)} INITIALLY_SUSPENDED = TRUE`
      return [safe(`create warehouse ${name} of size ${size}`, sql)]
    }
    const differs = [
      ...difference("size", plainSize(cell(found, "size")), size),
      ...difference("auto-suspend", cell(found, "auto_suspend"), String(autoSuspendSeconds)),
      ...difference("auto-resume", cell(found, "auto_resume").toLowerCase(), "true"),
      ...difference("resource monitor", cell(found, "resource_monitor"), monitor)
    ]
    if (differs.length === 0) return []
    return [
      safe(`change warehouse ${name}: ${differs.join(", ")}`, `ALTER WAREHOUSE ${name} SET ${warehouseSql(warehouse)}`)
    ]
  })

const difference = (what: string, found: string, wanted: string): ReadonlyArray<string> =>
  found === wanted ? [] : [`${what} from ${found === "" ? "none" : found} to ${wanted}`]

const plainSize = (size: string): string => size.toUpperCase().replaceAll("-", "")

/** Storage integration, file format and stage over the landing log. */
export const landingMigrations = (
  { database, landing }: DesiredState,
  current: CurrentState
): ReadonlyArray<Migration> => {
  const format = `${database}.NORTHSTAR.SEGMENT`
  const stage = `${database}.NORTHSTAR.LANDING`
  const { integration, url } = landing
  const by = integration === undefined ? "" : ` STORAGE_INTEGRATION = ${integration.name}`
  const found = current.stages.get("LANDING")
  return [
    ...(integration === undefined ? [] : integrationMigrations(integration, url, current)),
    ...(current.formats.has("SEGMENT")
      ? []
      : [safe("create the file format of segments", `CREATE FILE FORMAT ${format} TYPE = PARQUET NULL_IF = ()`)]),
    ...(found === undefined
      ? [
          safe(
            `create stage LANDING over ${url}`,
            `CREATE STAGE ${stage} URL = '${url}'${by} FILE_FORMAT = (FORMAT_NAME = '${format}')`
          )
        ]
      : cell(found, "url") === url && cell(found, "storage_integration") === (integration?.name ?? "")
        ? []
        : [
            safe(
              `point stage LANDING from ${cell(found, "url")} to ${url}`,
              `ALTER STAGE ${stage} SET URL = '${url}'${by}`
            )
          ])
  ]
}

const integrationMigrations = (
  { name, roleArn }: { readonly name: string; readonly roleArn: string },
  url: string,
  current: CurrentState
): ReadonlyArray<Migration> => {
  const settings = `ENABLED = TRUE STORAGE_AWS_ROLE_ARN = '${roleArn}' STORAGE_ALLOWED_LOCATIONS = ('${url}')`
  const found = current.integrations.get(name)
  if (found === undefined) {
    const sql = `CREATE STORAGE INTEGRATION ${name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ${settings}`
    return [safe(`create storage integration ${name} for ${url} alone`, sql)]
  }
  const agrees = found.get("STORAGE_AWS_ROLE_ARN") === roleArn && found.get("STORAGE_ALLOWED_LOCATIONS") === url
  return agrees ? [] : [safe(`change storage integration ${name}`, `ALTER STORAGE INTEGRATION ${name} SET ${settings}`)]
}
