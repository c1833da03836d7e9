"""The queries of the PostgreSQL reader about tables and foreign keys: constant texts, each row one JSON object.

A table on which another session holds, or waits for, an exclusive lock is left out: even printing its indexes would
wait.
"""

LOCKED = """
SELECT DISTINCT to_jsonb(q)
FROM (
  SELECT
    t.oid::bigint AS oid,
    n.nspname || '.' || t.relname AS name
  FROM pg_locks l
  LEFT JOIN pg_index x ON x.indexrelid = l.relation
  JOIN pg_class t ON t.oid = coalesce(x.indrelid, l.relation)
  JOIN pg_namespace n ON n.oid = t.relnamespace
  WHERE l.mode = 'AccessExclusiveLock'
    AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
) q"""

TABLES = """
WITH stats AS MATERIALIZED (
  SELECT
    s.schemaname,
    s.tablename,
    s.attname,
    s.inherited,
    s.null_frac,
    s.n_distinct,
    s.avg_width
  FROM pg_stats s
  WHERE s.schemaname NOT IN ('pg_catalog', 'information_schema')
),
columns AS MATERIALIZED (
  SELECT
    a.attrelid,
    jsonb_agg(
      jsonb_build_object(
        'name', a.attname,
        'data_type', format_type(a.atttypid, a.atttypmod),
        'not_null', a.attnotnull,
        'null_fraction', s.null_frac,
        'distinct', s.n_distinct,
        'average_bytes', s.avg_width,
        'collation', cn.nspname || '.' || co.collname,
        'most_bytes', CASE
          WHEN a.attlen > 0 THEN a.attlen
          WHEN a.atttypid IN ('bpchar'::regtype, 'varchar'::regtype) AND a.atttypmod > 4 THEN
            4 + (a.atttypmod - 4) * pg_encoding_max_length(
              (SELECT d.encoding FROM pg_database d WHERE d.datname = current_database())
            )
          -- A declared precision is at most 1,000 digits.
          WHEN a.atttypid = 'numeric'::regtype AND a.atttypmod > 4 THEN 520
          WHEN a.atttypid IN ('inet'::regtype, 'cidr'::regtype) THEN 22
        END,
        'stays_in_row', a.attlen = -1 AND a.attstorage IN ('p', 'm')
      )
      ORDER BY a.attnum
    ) AS columns
  FROM pg_class t
  JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_attribute a ON a.attrelid = t.oid
  LEFT JOIN pg_collation co ON co.oid = a.attcollation
  LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
  LEFT JOIN stats s
    ON s.schemaname = n.nspname
    AND s.tablename = t.relname
    AND s.attname = a.attname
    AND s.inherited = (t.relkind = 'p')
  WHERE a.attnum > 0
    AND NOT a.attisdropped
    AND t.relkind IN ('r', 'p', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  GROUP BY a.attrelid
)
SELECT to_jsonb(q)
FROM (
  SELECT
    n.nspname AS schema,
    t.relname AS name,
    t.oid::bigint AS oid,
    t.relkind AS kind,
    (SELECT h.inhparent::bigint FROM pg_inherits h WHERE h.inhrelid = t.oid AND t.relispartition) AS parent_oid,
    (
      SELECT e.extname
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid
      WHERE d.classid = 'pg_class'::regclass
        AND d.objid = t.oid
        AND d.deptype = 'e'
        AND d.refclassid = 'pg_extension'::regclass
    ) AS extension,
    pg_table_size(t.oid) AS size_bytes,
    t.reltuples AS rows,
    t.relpages AS pages,
    st.n_live_tup AS live_rows,
    st.n_dead_tup AS dead_rows,
    st.n_mod_since_analyze AS modified_since_analyze,
    (to_jsonb(st) ->> 'n_ins_since_vacuum')::bigint AS inserted_since_vacuum,
    st.seq_scan AS sequential_scans,
    st.idx_scan AS index_scans,
    st.n_tup_ins AS inserted,
    st.n_tup_upd AS updated,
    st.n_tup_del AS deleted,
    greatest(st.last_analyze, st.last_autoanalyze) AS last_analyze_at,
    CASE WHEN t.relfrozenxid <> '0' THEN age(t.relfrozenxid) END AS frozen_age,
    CASE WHEN t.relminmxid <> '0' THEN mxid_age(t.relminmxid) END AS multixact_age,
    CASE WHEN o.relfrozenxid <> '0' THEN age(o.relfrozenxid) END AS toast_frozen_age,
    CASE
      WHEN t.reltoastrelid <> 0 THEN pg_relation_size(t.reltoastrelid)
      WHEN t.relkind IN ('r', 'm') THEN 0
    END AS toast_bytes,
    coalesce(t.reloptions, '{}') AS options,
    coalesce(o.reloptions, '{}') AS toast_options,
    c.columns
  FROM pg_class t
  JOIN pg_namespace n ON n.oid = t.relnamespace
  LEFT JOIN pg_stat_all_tables st ON st.relid = t.oid
  LEFT JOIN pg_class o ON o.oid = t.reltoastrelid
  LEFT JOIN columns c ON c.attrelid = t.oid
  WHERE t.relkind IN ('r', 'p', 'm', 'f')
    AND t.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND n.nspname !~ '^pg_temp_'
    AND t.oid::bigint <> ALL (CAST(:locked AS bigint[]))
  ORDER BY n.nspname, t.relname
) q"""

FOREIGN_KEYS = """
SELECT to_jsonb(q)
FROM (
  SELECT
    n.nspname AS schema,
    t.relname AS table,
    c.conname AS name,
    pn.nspname AS parent_schema,
    p.relname AS parent_table,
    c.conrelid::bigint AS table_oid,
    c.confrelid::bigint AS parent_oid,
    c.confdeltype AS on_delete,
    c.confupdtype AS on_update,
    coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false) AS has_period,
    coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) AS is_enforced,
    (
      SELECT jsonb_agg(a.attname ORDER BY k.ordinality)
      FROM unnest(c.conkey) WITH ORDINALITY k(number, ordinality)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
    ) AS columns,
    (
      SELECT jsonb_agg(a.attname ORDER BY k.ordinality)
      FROM unnest(c.confkey) WITH ORDINALITY k(number, ordinality)
      JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number
    ) AS parent_columns,
    (
      SELECT format(
        CASE t.relkind
          WHEN 'p' THEN 'CREATE INDEX ON %I.%I (%s)'
          ELSE 'CREATE INDEX CONCURRENTLY ON %I.%I (%s)'
        END,
        n.nspname,
        t.relname,
        string_agg(quote_ident(a.attname), ', ' ORDER BY k.ordinality)
      )
      FROM unnest(c.conkey) WITH ORDINALITY k(number, ordinality)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
    ) AS index_statement
  FROM pg_constraint c
  JOIN pg_class t ON t.oid = c.conrelid
  JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_class p ON p.oid = c.confrelid
  JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE c.contype = 'f'
    AND c.conparentid = 0
    AND t.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  ORDER BY n.nspname, t.relname, c.conname
) q"""
