import { literal } from "./Sql.ts"

/**
 * One row a table, as JSON. The estimate of a partitioned table is the sum over its leaves; `-1` there means that a
 * table was never analysed.
 */
export const catalogSql = (schemas: ReadonlyArray<string> | undefined): string => `
SELECT row_to_json(t)::text AS "table" FROM (
  SELECT n.nspname || '.' || c.relname AS source, n.nspname AS schema, c.relname AS name,
    c.relkind = 'p' AS partitioned, c.relpersistence = 'p' AS logged, c.relrowsecurity AS "rowSecurity",
    leaves.rows AS "rowsEstimate", leaves.names AS partitions, coalesce(k.names, '[]') AS key,
    CASE WHEN leaves.identities LIKE '%n%' THEN 'nothing' WHEN leaves.identities LIKE '%i%' THEN 'index'
      WHEN leaves.identities LIKE '%f%' THEN 'full' ELSE 'default' END AS "replicaIdentity",
    coalesce(columns.list, '[]') AS columns
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (${leavesSql}) leaves
  LEFT JOIN LATERAL (${keySql}) k ON true
  LEFT JOIN LATERAL (${columnsSql}) columns ON true
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND ${
      schemas === undefined
        ? "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        : `n.nspname IN (${schemas.map(literal).join(", ")})`
    }
) t ORDER BY source COLLATE "C"`

const leavesSql = `
  SELECT CASE WHEN min(leaf.reltuples) >= 0 THEN sum(leaf.reltuples)::bigint END AS rows,
    string_agg(CASE WHEN leaf.relreplident = 'i' AND EXISTS (
      SELECT FROM pg_index i WHERE i.indrelid = leaf.oid AND i.indisreplident AND i.indisprimary
    ) THEN 'd' ELSE leaf.relreplident::text END, '') AS identities,
    coalesce(json_agg(ln.nspname || '.' || leaf.relname ORDER BY ln.nspname, leaf.relname)
      FILTER (WHERE leaf.oid <> c.oid), '[]') AS names
  FROM (
    SELECT c.oid AS relid WHERE c.relkind = 'r'
    UNION ALL
    SELECT p.relid FROM pg_partition_tree(c.oid) p WHERE c.relkind = 'p' AND p.isleaf
  ) member
  JOIN pg_class leaf ON leaf.oid = member.relid
  JOIN pg_namespace ln ON ln.oid = leaf.relnamespace`

const keySql = `
  SELECT json_agg(a.attname ORDER BY place.ordinality) AS names
  FROM pg_index i
  CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY place(attnum, ordinality)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = place.attnum
  WHERE i.indrelid = c.oid AND i.indisprimary AND place.ordinality <= i.indnkeyatts`

/** Follows domains to their base type; the type modifier is the innermost one given. */
const columnsSql = `
  SELECT json_agg(json_build_object('name', a.attname, 'type', base.type,
    'declared', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
    'generated', a.attgenerated <> '', 'extension', base.extension, 'byteOrder', coalesce(collation_.byte_order, false)) ORDER BY a.attnum) AS list
  FROM pg_attribute a
  CROSS JOIN LATERAL (
    WITH RECURSIVE step AS (
      SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typelem, t.typnamespace, a.atttypmod AS typmod FROM pg_type t WHERE t.oid = a.atttypid
      UNION ALL
      SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typelem, t.typnamespace, step.typtypmod
      FROM step JOIN pg_type t ON t.oid = step.typbasetype WHERE step.typtype = 'd'
    ) SELECT format_type(oid, typmod) AS type,
        typtype = 'b' AND typelem = 0 AND typnamespace <> 'pg_catalog'::regnamespace AS extension
      FROM step WHERE typtype <> 'd'
  ) base
  LEFT JOIN LATERAL (
    SELECT pg_encoding_to_char(d.encoding) = 'UTF8' AND CASE
      WHEN co.collprovider = 'd' THEN d.datlocprovider = 'b' OR (d.datlocprovider = 'c' AND d.datcollate IN ('C', 'POSIX'))
      ELSE co.collprovider = 'b' OR co.collname IN ('C', 'POSIX', 'ucs_basic') END AS byte_order
    FROM pg_collation co, pg_database d WHERE co.oid = a.attcollation AND d.datname = current_database()
  ) collation_ ON true
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`
