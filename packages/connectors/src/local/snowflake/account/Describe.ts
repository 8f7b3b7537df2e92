import type { Account, DescribedColumn } from "./Account.ts"
import { requireInSchema } from "./Authorisation.ts"
import { securableNamed } from "./GrantStatement.ts"
import { type Kind, notFound, qualified, unsupported } from "./Securable.ts"
import { folders } from "./StageFiles.ts"
import type { ObjectName, ResultTable, SessionState } from "../Statement.ts"
import type { TokenReader } from "../sql/TokenReader.ts"

const texts = (names: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | null>>): ResultTable => ({
  columns: names.map((name) => ({ name, type: "text", nullable: true })),
  rows
})

/** Runs DESCRIBE after its first word. */
export const describe = async (
  account: Account,
  session: SessionState,
  reader: TokenReader,
  columnsOf: (name: ObjectName) => Promise<ReadonlyArray<DescribedColumn>>
): Promise<ResultTable> => {
  if (reader.take("TABLE") || reader.take("VIEW")) return describeTable(account, session, reader, columnsOf)
  const words = reader.oneOf("MASKING POLICY", "STAGE", "FILE FORMAT", "STORAGE INTEGRATION", "INTEGRATION", "USER")
  const kind: Kind = words === "STORAGE INTEGRATION" ? "INTEGRATION" : words
  const securable = securableNamed(account, session, reader, kind)
  reader.end()
  const { properties } = securable
  if (kind === "MASKING POLICY") {
    const cells = ["SIGNATURE", "RETURNS", "BODY"].map((name) => properties.get(name) ?? null)
    return texts(["name", "signature", "return_type", "body"], [[securable.label, ...cells]])
  }
  const rows = [...properties]
  if (kind === "USER")
    return texts(
      ["property", "value", "default", "description"],
      rows.map(([name, value]) => [name, value, null, null])
    )
  const parent = kind === "STAGE" ? "STAGE_LOCATION" : ""
  return kind === "STAGE"
    ? texts(
        ["parent_property", "property", "property_type", "property_value", "property_default"],
        rows.map(([name, value]) => [parent, name, "String", value, ""])
      )
    : texts(
        ["property", "property_type", "property_value", "property_default"],
        rows.map(([name, value]) => [name, "String", value, ""])
      )
}

const describeTable = async (
  account: Account,
  session: SessionState,
  reader: TokenReader,
  columnsOf: (name: ObjectName) => Promise<ReadonlyArray<DescribedColumn>>
): Promise<ResultTable> => {
  const name = reader.objectName()
  reader.end()
  const relation = account.securables.relation(name)
  const isKnown =
    account.isTemporary(session, name) || (relation !== undefined && account.grants.sees(session.role, relation))
  if (!isKnown) throw notFound("Object", qualified(name))
  const masks = account.masks.get(qualified(name))
  const rows = (await columnsOf(name)).map((column) => [
    column.name,
    column.type,
    "COLUMN",
    column.nullable ? "Y" : "N",
    masks?.get(column.name) ?? null
  ])
  return texts(["name", "type", "kind", "null?", "policy name"], rows)
}

/** Runs LIST after its first word. */
export const listStage = async (account: Account, session: SessionState, reader: TokenReader): Promise<ResultTable> => {
  reader.expect("@")
  const stage = requireInSchema(account, session, "STAGE", reader.objectName(), "USAGE")
  const path = reader.atEnd ? "" : reader.string().replace(/^\//, "")
  reader.end()
  const base = stage.properties.get("URL")!
  const prefix = `${base.endsWith("/") ? base : `${base}/`}${path}`
  const files = prefix.startsWith("file:") ? folders : account.s3
  if (files === undefined) throw unsupported("s3:// stages without a handler")
  const found = await files.list(prefix)
  return {
    columns: [
      { name: "name", type: "text", nullable: true },
      { name: "size", type: "fixed", precision: 38, scale: 0, nullable: true },
      { name: "md5", type: "text", nullable: true },
      { name: "last_modified", type: "text", nullable: true }
    ],
    rows: found.map(({ url, bytes, md5, modifiedMs }) => [url, String(bytes), md5, new Date(modifiedMs).toUTCString()])
  }
}
