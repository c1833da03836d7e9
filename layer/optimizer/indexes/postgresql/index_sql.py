"""The query of the PostgreSQL reader about indexes: a constant text, each row one JSON object."""

# The stored length of a value in an index, from its text; short values have a header of one byte.
_STORED_LENGTH = """
            CASE ia.atttypid
              WHEN 'numeric'::regtype THEN pg_column_size(v::numeric) - 3
              WHEN 'bytea'::regtype THEN octet_length(v::bytea) + 1
              ELSE octet_length(v) + 1
            END"""

# `classes`: an operator class gets the name of the first one of its family with the same input and stored type, because
# the family's operators decide what an index can be used for; varchar_ops, for example, is an alias of text_ops.
# `chosen`: valid indexes of TOAST tables are left out.
INDEXES = f"""
WITH classes AS MATERIALIZED (
  SELECT
    o.oid,
    n.nspname || '.' || o.opcname AS name,
    o.opcfamily,
    o.opcintype,
    (
      SELECT min(f.oid::bigint)
      FROM pg_opclass f
      WHERE f.opcmethod = o.opcmethod
        AND f.opcfamily = o.opcfamily
        AND f.opcintype = o.opcintype
        AND f.opckeytype = o.opckeytype
    ) AS first,
    EXISTS (
      SELECT
      FROM pg_amproc p
      WHERE p.amprocfamily = o.opcfamily
        AND p.amproclefttype = o.opcintype
        AND p.amprocrighttype = o.opcintype
        AND p.amprocnum = 4
    ) AS equal_image
  FROM pg_opclass o
  JOIN pg_namespace n ON n.oid = o.opcnamespace
),
collations AS MATERIALIZED (
  SELECT
    c.oid,
    n.nspname || '.' || c.collname AS name,
    c.collisdeterministic AS deterministic,
    c.collprovider <> 'd'
      AND c.collversion IS NOT NULL
      AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid) AS version_differs
  FROM pg_collation c
  JOIN pg_namespace n ON n.oid = c.collnamespace
  WHERE c.oid IN (SELECT unnest(u.indcollation::oid[]) FROM pg_index u)
),
chosen AS MATERIALIZED (
  SELECT
    x.*,
    i.relname AS index_name,
    n.nspname AS index_schema,
    t.relname AS table_name,
    tn.nspname AS table_schema,
    t.relkind = 'p' AS is_parent,
    am.amname
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_am am ON am.oid = i.relam
  WHERE i.relpersistence <> 't'
    AND tn.nspname NOT IN ('pg_catalog', 'information_schema')
    AND tn.nspname !~ '^pg_(temp|toast_temp)_'
    AND (tn.nspname <> 'pg_toast' OR NOT x.indisvalid)
    AND t.oid::bigint <> ALL (CAST(:locked AS bigint[]))
),
stats AS MATERIALIZED (
  SELECT
    s.schemaname,
    s.tablename,
    s.attname,
    s.inherited,
    s.null_frac,
    s.n_distinct,
    s.avg_width,
    s.most_common_vals,
    s.most_common_freqs,
    s.histogram_bounds
  FROM pg_stats s
  WHERE s.schemaname NOT IN ('pg_catalog', 'information_schema')
),
referenced AS MATERIALIZED (
  SELECT DISTINCT f.conindid
  FROM pg_constraint f
  WHERE f.contype = 'f'
),
parts AS MATERIALIZED (
  SELECT
    x.indexrelid,
    jsonb_agg(
      jsonb_build_object(
        'text', pg_get_indexdef(x.indexrelid, k, false),
        'column', ta.attname,
        'opclass', oc.name,
        'opclass_options', ia.attoptions,
        'equal_image', o.equal_image,
        'collation', co.name,
        'deterministic', co.deterministic,
        'version_differs', co.version_differs,
        'option', CASE WHEN k <= x.indnkeyatts THEN x.indoption[k - 1] END,
        'length', ia.attlen,
        'alignment', ia.attalign,
        'null_fraction', ps.null_frac,
        'distinct', ps.n_distinct,
        'average_bytes', ps.avg_width,
        'frequencies', ps.most_common_freqs,
        'common_bytes', (
          SELECT jsonb_agg({_STORED_LENGTH})
          FROM unnest(ps.most_common_vals::text::text[]) v
          WHERE sized
        ),
        'sample_bytes', (
          SELECT jsonb_agg({_STORED_LENGTH})
          FROM unnest(ps.histogram_bounds::text::text[]) v
          WHERE sized
        )
      )
      ORDER BY k
    ) AS parts
  FROM chosen x
  CROSS JOIN LATERAL generate_series(1, x.indnatts::int) k
  JOIN pg_attribute ia ON ia.attrelid = x.indexrelid AND ia.attnum = k
  CROSS JOIN LATERAL (
    SELECT
      x.amname = 'btree'
      AND ia.atttypid::regtype::text = ANY ('{{text,character varying,character,cstring,numeric,bytea}}') AS sized
  ) z
  LEFT JOIN pg_attribute ta ON ta.attrelid = x.indrelid AND ta.attnum = x.indkey[k - 1] AND ta.attnum <> 0
  LEFT JOIN classes o ON k <= x.indnkeyatts AND o.oid = x.indclass[k - 1]
  LEFT JOIN classes oc ON oc.oid::bigint = o.first
  LEFT JOIN collations co ON k <= x.indnkeyatts AND co.oid = x.indcollation[k - 1]
  LEFT JOIN stats ps
    ON ps.inherited = x.is_parent
    AND ps.schemaname = CASE WHEN ta.attname IS NULL THEN x.index_schema ELSE x.table_schema END
    AND ps.tablename = CASE WHEN ta.attname IS NULL THEN x.index_name ELSE x.table_name END
    AND ps.attname = coalesce(ta.attname, ia.attname)
  GROUP BY x.indexrelid
)
SELECT to_jsonb(q)
FROM (
  SELECT
    n.nspname AS schema,
    tn.nspname AS table_schema,
    t.relname AS table,
    i.relname AS name,
    am.amname AS method,
    i.oid::bigint AS oid,
    t.oid::bigint AS table_oid,
    pg_relation_filenode(i.oid)::bigint AS file_node,
    i.relkind = 'I' AS is_partitioned,
    i.relispartition AS is_partition,
    (SELECT h.inhparent::bigint FROM pg_inherits h WHERE h.inhrelid = i.oid) AS parent_oid,
    x.indisunique AS is_unique,
    x.indisexclusion AS is_exclusion,
    coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
    x.indisvalid AS is_valid,
    x.indisready AS is_ready,
    x.indislive AS is_live,
    NOT x.indimmediate AS is_deferrable,
    x.indisreplident AS is_replica_identity,
    x.indisclustered AS is_clustered,
    pg_get_expr(x.indpred, x.indrelid) AS predicate,
    pg_get_indexdef(i.oid) AS definition,
    c.contype AS constraint_type,
    i.oid IN (SELECT r.conindid FROM referenced r) AS is_referenced,
    (
      SELECT e.extname
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_class'::regclass
        AND d.objid IN (i.oid, t.oid)
        AND d.deptype = 'e'
        AND d.refclassid = 'pg_extension'::regclass
      LIMIT 1
    ) AS extension,
    coalesce(i.reloptions, '{{}}') AS options,
    pg_relation_size(i.oid) AS size_bytes,
    CASE WHEN x.indpred IS NULL AND t.reltuples >= 0 THEN t.reltuples ELSE i.reltuples END AS rows,
    CASE
      WHEN t.relkind <> 'p' AND t.relpages > 0
      THEN pg_relation_size(t.oid)::float8 / current_setting('block_size')::float8 / t.relpages
    END AS table_growth,
    CASE
      WHEN x.indpred IS NOT NULL AND t.reltuples >= 0
      THEN least(300 * current_setting('default_statistics_target')::float8 / greatest(t.reltuples, 1), 1)
    END AS sampled_share,
    s.idx_scan AS scans,
    x.indnkeyatts AS key_count,
    am.amname = 'btree'
      AND x.indnatts = x.indnkeyatts
      AND NOT 'deduplicate_items=off' = ANY (coalesce(i.reloptions, '{{}}')) AS may_deduplicate,
    p.parts
  FROM chosen x
  JOIN parts p ON p.indexrelid = x.indexrelid
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_am am ON am.oid = i.relam
  LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid
  ORDER BY i.oid
) q"""  # noqa: S608 - both texts are constants of this module
