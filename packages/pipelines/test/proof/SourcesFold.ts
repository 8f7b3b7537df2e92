import * as Partners from "../../src/Partners.ts"
import type { Put } from "./SourcesDrop.ts"
import type { Row } from "./SourcesFile.ts"
import type { Delivery, Rows } from "./SourcesOracle.ts"

/** What deliveries amount to. */
export interface Folded {
  readonly tables: ReadonlyArray<{
    readonly name: string
    readonly key: ReadonlyArray<string>
    readonly columns: Readonly<Record<string, string>>
    readonly rows: Rows
  }>
  /** Every delivery with the rows that it has, those of them to set aside, and the rows of others that it takes back. */
  readonly files: ReadonlyArray<{
    readonly table: string
    readonly sequence: string
    readonly key: string
    readonly rows: number
    readonly aside: number
    readonly deleted: number
  }>
  readonly problems: ReadonlyArray<string>
}

/** Seconds, delivery, row: compared from left to right. */
type Version = readonly [seconds: number, delivery: number, row: number]

interface Standing {
  readonly version: Version
  readonly values: Row["values"] | undefined
}

/** The plainest fold there is, over what the partners meant: newest by time, then delivery, then row; replaced rows are gone. */
export const fold = (deliveries: ReadonlyArray<Delivery>, puts: ReadonlyArray<Put>): Folded => {
  const tables = new Map(Partners.all.map(({ table }) => [table.name, new Map<string, Standing>()]))
  const before = new Map<string, ReadonlyMap<string, number>>()
  const files: Array<Folded["files"][number]> = []
  const problems: Array<string> = []
  for (const delivery of deliveries) {
    const { accepted, isRefused, key, modifiedMs, sequence, sidecar, version } = delivery
    const number = Number(sequence)
    const label = `delivery ${number}, ${key}`
    const found = puts.filter(
      (put) => put.key === key && put.version === version && put.totals === (sidecar?.version ?? undefined)
    )
    // A file system keeps times to more digits than its callers can say.
    if (!found.some((put) => Math.abs(put.modifiedMs - modifiedMs) <= 1))
      problems.push(`${label}: nobody has put that there`)
    const [first] = found
    if (isRefused) {
      // Another file may have taken its place before it was read.
      const isLost = puts.slice(first === undefined ? 0 : puts.indexOf(first) + 1).some((put) => put.key === key)
      if (first !== undefined && !first.isBroken && !isLost) problems.push(`${label}: refused although it can be read`)
      continue
    }
    if (first?.content === undefined || first.isBroken) problems.push(`${label}: accepted although it is broken`)
    if (first?.content === undefined) continue
    const { content } = first
    const { rows, table } = content
    if (accepted?.rows !== rows.length) problems.push(`${label}: ${accepted?.rows} of ${rows.length} rows accepted`)
    const standing = tables.get(table)
    const seconds = content.seconds ?? Math.floor(modifiedMs / 1000)
    const now = new Map<string, number>()
    rows.forEach((row, index) => {
      if (row.key === undefined) return
      now.set(row.key, Math.max(now.get(row.key) ?? 0, row.seconds ?? seconds))
      if (!row.isAside)
        take(standing, row.key, { version: [row.seconds ?? seconds, number, index], values: row.values })
    })
    const missing = [...(before.get(key) ?? [])].filter(([one]) => !now.has(one))
    let deleted = 0
    if (table === "stock_level") {
      const isUnsure = rows.some((row) => row.key === undefined)
      for (const [one, at] of missing) {
        if (isUnsure) now.set(one, at)
        else {
          take(standing, one, { version: [at, number, rows.length + deleted], values: undefined })
          deleted += 1
        }
      }
      before.set(key, now)
    }
    if (accepted?.deleted !== deleted) problems.push(`${label}: takes back ${deleted} rows, not ${accepted?.deleted}`)
    const aside = rows.filter(({ isAside }) => isAside).length
    files.push({ table, sequence: String(number), key, rows: rows.length, aside, deleted })
  }
  return {
    tables: [...tables].map(([name, standing]) => curated(name, standing)),
    files,
    problems: [...problems, ...unseen(deliveries, puts)]
  }
}

const take = (standing: Map<string, Standing> | undefined, key: string, row: Standing): void => {
  const known = standing?.get(key)
  if (known === undefined || isAfter(row.version, known.version)) standing?.set(key, row)
}

const isAfter = (left: Version, right: Version): boolean => {
  const at = left.findIndex((part, index) => part !== right[index])
  return at >= 0 && (left[at] ?? 0) > (right[at] ?? 0)
}

const curated = (name: string, standing: ReadonlyMap<string, Standing>): Folded["tables"][number] => {
  const contract = Partners.all.find(({ table }) => table.name === name)
  return {
    name,
    key: contract?.table.key ?? [],
    columns: Object.fromEntries(
      Object.entries(contract?.table.columns ?? {}).map(([column, { type }]) => [column, type.kind])
    ),
    rows: [...standing.values()].flatMap(({ values }) => (values === undefined ? [] : [values]))
  }
}

/** What lies in the drop folder at the end has been discovered, and no file's deliveries in another order than they were put. */
const unseen = (deliveries: ReadonlyArray<Delivery>, puts: ReadonlyArray<Put>): ReadonlyArray<string> =>
  [...new Set(puts.map(({ key }) => key))].flatMap((key) => {
    const name = ({ version, totals }: Pick<Put, "version" | "totals">) => `${version} ${totals ?? ""}`
    const put = puts.filter((one) => one.key === key)
    const seen = deliveries
      .filter((delivery) => delivery.key === key)
      .map(({ sidecar, version }) => name({ version, totals: sidecar?.version }))
    const last = put.at(-1)
    let at = 0
    for (const one of put) if (seen[at] === name(one)) at += 1
    return [
      ...(last?.version === undefined || seen.at(-1) === name(last)
        ? []
        : [`${key}: its last content was not discovered`]),
      ...(at === seen.length
        ? []
        : [`${key}: ${seen.length - at} of ${seen.length} deliveries are not those that were put`])
    ]
  })
