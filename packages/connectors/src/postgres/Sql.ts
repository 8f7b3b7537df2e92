/** A quoted identifier. */
export const id = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A quoted literal of the type that its place asks for. Exact whatever `standard_conforming_strings` says. */
export const literal = (text: string): string => {
  const quoted = text.replaceAll("'", "''")
  return text.includes("\\") ? ` E'${quoted.replaceAll("\\", "\\\\")}'` : `'${quoted}'`
}

/** A quoted, schema-qualified name. */
export const qualified = (schema: string, name: string): string => `${id(schema)}.${id(name)}`

/** A table by its source name `schema.name`, quoted; the schema ends at the first dot. */
export const relation = (source: string): string => {
  const dot = source.indexOf(".")
  return qualified(source.slice(0, dot), source.slice(dot + 1))
}
