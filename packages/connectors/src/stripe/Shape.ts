import { Effect, Predicate, Result } from "effect"
import type { Column, ColumnType } from "@northstar/core/Column"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import type { Relation } from "../landing/Block.ts"
import { relation } from "../landing/BlockBuilder.ts"
import type { StripeObject } from "./Client.ts"
import { malformed, misconfigured } from "./Failure.ts"
import { isLedger, type Resource, resources } from "./Resource.ts"

/** How objects become rows of a table: the contract's columns, read by their paths, and nothing else. */
export interface Shape {
  readonly table: string
  readonly resource: Resource
  /** One column per path, named by it; its type is the contract's kind. */
  readonly relation: Relation
  readonly columns: ReadonlyArray<{ readonly path: string; readonly type: ColumnType }>
}

/** The texts of a row, one per column of the relation. */
export type Texts = ReadonlyArray<string | null>

/** The shapes of contracts, or `Misconfigured` with the first thing that Stripe's objects cannot give. */
export const ofTables = (tables: ReadonlyArray<Table>): Effect.Effect<ReadonlyArray<Shape>, ConnectorError> => {
  const twice = tables.find((table, index) => tables.findIndex(({ source }) => source === table.source) !== index)
  if (twice !== undefined) {
    return refuse(twice, `${twice.source} has two contracts`, "Put all its columns into one contract.")
  }
  return Effect.forEach(tables, ofTable)
}

const ofTable = (table: Table): Effect.Effect<Shape, ConnectorError> => {
  const resource = resources.get(table.source)
  if (resource === undefined) {
    const known = [...resources.keys()].join(", ")
    return refuse(table, `${table.source} is no table of Stripe`, `Name one of ${known} as the contract's source.`)
  }
  const columns = new Map<string, ColumnType>()
  for (const [name, column] of Object.entries(table.columns)) {
    const path = pathOf(name, column)
    const problem = problemOf(table, resource, name, column, path, columns.get(path))
    if (problem !== undefined) return refuse(table, ...problem)
    columns.set(path, column.type)
  }
  const key = table.key.map((name) => pathOf(name, table.columns[name]))
  if (key.length !== 1 || key[0] !== "id") {
    return refuse(table, `the key of ${table.name} is not the object's id`, "Make the column of `id` the only key.")
  }
  return Effect.succeed({
    table: table.source,
    resource,
    relation: relation(
      table.source,
      Array.from(columns, ([path, type]) => ({ name: path, type: typeName(type), key: path === "id" }))
    ),
    columns: Array.from(columns, ([path, type]) => ({ path, type }))
  })
}

/** Where a column's value is in the object: its own name, or the last name it is `renamedFrom`. */
const pathOf = (name: string, column: Column | undefined): string => column?.aliases.at(-1) ?? name

/** What is wrong with a column, and what to do about it. */
const problemOf = (
  table: Table,
  resource: Resource,
  name: string,
  column: Column,
  path: string,
  taken: ColumnType | undefined
): readonly [detail: string, action: string] | undefined => {
  const where = `${path} of ${table.source}`
  const changing = resource.changing.find((field) => path === field || path.startsWith(`${field}.`))
  if (changing !== undefined) {
    return [`${where} changes, but the rest of such an object never does`, `Leave the column ${name} out.`]
  }
  if (taken !== undefined && typeName(taken) !== typeName(column.type)) {
    return [`${where} is wanted with two types`, `Give the column ${name} the other column's type.`]
  }
  // Loading looks a column up by its own name first: it would find the other's values.
  const others = Object.entries(table.columns).filter(([other]) => other !== name)
  const shadow = [name, ...column.aliases]
    .filter((candidate) => candidate !== path)
    .find((candidate) => others.some(([other, of]) => pathOf(other, of) === candidate))
  if (shadow !== undefined) {
    return [`column ${name} is read from ${path}, and another column from ${shadow}`, `Rename the column ${name}.`]
  }
  if (column.type.kind === "bytes") return [`${where} holds no bytes`, `Make the column ${name} text.`]
  return undefined
}

const refuse = (table: Table, detail: string, action: string) =>
  Effect.fail(misconfigured(`capture ${table.source}`, detail, action))

const typeName = (type: ColumnType): string =>
  type.kind === "decimal" ? `decimal(${type.precision},${type.scale})` : type.kind

/** Whether an object's version is its creation. */
export const isWrittenOnce = (shape: Shape): boolean => isLedger(shape.resource)

/** An object's row. A path that goes on behind the id of an object which Stripe did not send along is `Misconfigured`. */
export const texts = (shape: Shape, object: StripeObject): Result.Result<Texts, ConnectorError> => {
  const row: Array<string | null> = []
  for (const { path, type } of shape.columns) {
    const value = valueAt(object, path)
    if (value === behindAnId) {
      const detail = `${path} of ${shape.table} goes through an id: Stripe does not send that object along`
      const action = "Capture the table of that object, and join it"
      return Result.fail(misconfigured(`capture ${shape.table}`, detail, action))
    }
    if (isRounded(value)) {
      return Result.fail(
        malformed(`capture ${shape.table}`, `a number in ${path} that is beyond what JSON readers keep exact`)
      )
    }
    row.push(textOf(value, type))
  }
  return Result.succeed(row)
}

const behindAnId = Symbol("behind an id")

/** The value at a path; a name with dots in it, such as a key of metadata, is found as well. Absent is `null`. */
const valueAt = (of: unknown, path: string): unknown => {
  if (of === null || of === undefined) return null
  if (typeof of !== "object") return behindAnId
  if (Object.hasOwn(of, path)) return (of as Record<string, unknown>)[path]
  const dot = path.indexOf(".")
  if (dot < 0) return null
  const head = path.slice(0, dot)
  return Object.hasOwn(of, head) ? valueAt((of as Record<string, unknown>)[head], path.slice(dot + 1)) : null
}

/** Whether reading the answer has rounded some number in it: from 2^53 on neighbours are one. */
const isRounded = (value: unknown): boolean =>
  typeof value === "number"
    ? Math.abs(value) > Number.MAX_SAFE_INTEGER
    : typeof value === "object" && value !== null && Object.values(value).some(isRounded)

/** A value as PostgreSQL would write one of its kind. Money stays in minor units. */
const textOf = (value: unknown, type: ColumnType): string | null => {
  if (value === null || value === undefined) return null
  const plain = idOf(value)
  if (type.kind === "json") return JSON.stringify(sorted(plain))
  if (typeof plain === "boolean") return plain ? "t" : "f"
  if (typeof plain === "number") return instantOf(plain, type.kind) ?? String(plain)
  return typeof plain === "string" ? plain : JSON.stringify(sorted(plain))
}

/** An object that Stripe sent in place of its id, as the id. */
const idOf = (value: unknown): unknown =>
  Predicate.hasProperty(value, "id") && typeof value.id === "string" && Predicate.hasProperty(value, "object")
    ? value.id
    : value

/** Unix seconds that the calendar has, as a time column's text, in UTC. */
const instantOf = (seconds: number, kind: ColumnType["kind"]): string | undefined => {
  if (kind !== "timestamptz" && kind !== "timestamp" && kind !== "date") return undefined
  if (!Number.isInteger(seconds) || Math.abs(seconds) > 100_000_000_000) return undefined
  const text = new Date(seconds * 1000).toISOString()
  if (kind === "date") return text.slice(0, 10)
  return kind === "timestamp" ? text.slice(0, 19) : `${text.slice(0, 19)}Z`
}

/** The same content with names in order, so that equal objects have equal texts. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)])
  )
}
