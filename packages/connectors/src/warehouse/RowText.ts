/**
 * SQL, the same in PostgreSQL, DuckDB and Snowflake, of the text that stands for a whole row in digests: the canonical
 * texts in the contract's column order, each behind `=`, joined by U+001F; NULL is `~`.
 */
export const rowText = (canonical: ReadonlyArray<string>): string =>
  canonical.map((text) => `coalesce('=' || (${text}), '~')`).join(" || chr(31) || ")
