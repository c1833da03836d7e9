"""The questions that the PostgreSQL reader asks: constant texts, each row one JSON object.

A column that only some versions have is taken from the row as JSON (`to_jsonb(row) ->> 'column'`), which gives NULL
where the server has no such column: what is read is decided by the server's own catalog, not by a table of versions.
Names come back as the server's texts and go in as bound parameters or through the server's quote_ident and format.
A table that somebody holds, or waits for, an exclusive lock on is left out: even printing its indexes waits for it.
"""

SERVER = """
SELECT to_jsonb(q) FROM (
  SELECT current_setting('server_version_num')::int AS version_number,
    current_database() AS database,
    coalesce(host(inet_server_addr()), 'local') || ':' || current_setting('port') AS address,
    now() AS read_at, pg_is_in_recovery() AS is_replica, pg_postmaster_start_time() AS started_at,
    greatest(d.stats_reset, (SELECT b.stats_reset FROM pg_stat_bgwriter b)) AS counted_since,
    current_setting('block_size')::int AS block_bytes,
    EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'aurora_version') AS is_aurora,
    (SELECT jsonb_object_agg(e.extname, e.extversion) FROM pg_extension e) AS extensions,
    (SELECT jsonb_object_agg(s.name, s.setting) FROM pg_settings s) AS settings,
    to_regproc('pg_database_collation_actual_version') IS NOT NULL AS has_database_collation_version,
    (SELECT count(*) FROM pg_stat_replication r WHERE r.application_name IS DISTINCT FROM 'pg_basebackup'
      AND NOT EXISTS (SELECT FROM pg_replication_slots p WHERE p.active_pid = r.pid AND p.slot_type = 'logical'))
      AS replicas
  FROM pg_stat_database d WHERE d.datname = current_database()
) q"""

LOCKED = """
SELECT DISTINCT to_jsonb(q) FROM (
  SELECT t.oid::bigint AS oid, n.nspname || '.' || t.relname AS name
  FROM pg_locks l LEFT JOIN pg_index x ON x.indexrelid = l.relation
  JOIN pg_class t ON t.oid = coalesce(x.indrelid, l.relation) JOIN pg_namespace n ON n.oid = t.relnamespace
  WHERE l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
) q"""

TABLES = """
WITH stats AS MATERIALIZED (
  SELECT s.schemaname, s.tablename, s.attname, s.inherited, s.null_frac, s.n_distinct, s.avg_width
  FROM pg_stats s WHERE s.schemaname NOT IN ('pg_catalog', 'information_schema')),
columns AS MATERIALIZED (
  SELECT a.attrelid, jsonb_agg(jsonb_build_object(
        'name', a.attname, 'data_type', format_type(a.atttypid, a.atttypmod),
        'not_null', a.attnotnull,
        'null_fraction', s.null_frac, 'distinct', s.n_distinct, 'average_bytes', s.avg_width,
        'collation', cn.nspname || '.' || co.collname) ORDER BY a.attnum) AS columns
  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid
  LEFT JOIN pg_collation co ON co.oid = a.attcollation LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
  LEFT JOIN stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname
    AND s.inherited = (t.relkind = 'p')
  WHERE a.attnum > 0 AND NOT a.attisdropped AND t.relkind IN ('r', 'p', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  GROUP BY a.attrelid)
SELECT to_jsonb(q) FROM (
  SELECT n.nspname AS schema, t.relname AS name, t.oid::bigint AS oid, t.relkind AS kind,
    (SELECT h.inhparent::bigint FROM pg_inherits h WHERE h.inhrelid = t.oid AND t.relispartition) AS parent_oid,
    (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_class'::regclass
      AND d.objid = t.oid AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass) AS extension,
    pg_table_size(t.oid) AS size_bytes,
    t.reltuples AS rows, t.relpages AS pages,
    st.n_live_tup AS live_rows, st.n_dead_tup AS dead_rows, st.n_mod_since_analyze AS modified_since_analyze,
    (to_jsonb(st) ->> 'n_ins_since_vacuum')::bigint AS inserted_since_vacuum,
    st.seq_scan AS sequential_scans, st.idx_scan AS index_scans,
    st.n_tup_ins AS inserted, st.n_tup_upd AS updated, st.n_tup_del AS deleted,
    greatest(st.last_analyze, st.last_autoanalyze) AS last_analyze_at,
    CASE WHEN t.relfrozenxid <> '0' THEN age(t.relfrozenxid) END AS frozen_age,
    CASE WHEN t.relminmxid <> '0' THEN mxid_age(t.relminmxid) END AS multixact_age,
    CASE WHEN o.relfrozenxid <> '0' THEN age(o.relfrozenxid) END AS toast_frozen_age,
    coalesce(t.reloptions, '{}') AS options, coalesce(o.reloptions, '{}') AS toast_options,
    c.columns
  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
  LEFT JOIN pg_stat_all_tables st ON st.relid = t.oid
  LEFT JOIN pg_class o ON o.oid = t.reltoastrelid
  LEFT JOIN columns c ON c.attrelid = t.oid
  WHERE t.relkind IN ('r', 'p', 'm', 'f') AND t.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_temp_'
    AND t.oid::bigint <> ALL (CAST(:locked AS bigint[]))
  ORDER BY n.nspname, t.relname
) q"""

# An operator class is named by the first one of its family with the same input and stored type: varchar_ops is an
# alias of text_ops, and the family's operators are what an index can be used for.
INDEXES = """
WITH classes AS MATERIALIZED (
  SELECT o.oid, n.nspname || '.' || o.opcname AS name, o.opcfamily, o.opcintype, (
      SELECT min(f.oid::bigint) FROM pg_opclass f WHERE f.opcmethod = o.opcmethod AND f.opcfamily = o.opcfamily
      AND f.opcintype = o.opcintype AND f.opckeytype = o.opckeytype) AS first,
    EXISTS (SELECT FROM pg_amproc p WHERE p.amprocfamily = o.opcfamily AND p.amproclefttype = o.opcintype
      AND p.amprocrighttype = o.opcintype AND p.amprocnum = 4) AS equal_image
  FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace),
collations AS MATERIALIZED (
  SELECT c.oid, n.nspname || '.' || c.collname AS name, c.collisdeterministic AS deterministic,
    c.collprovider <> 'd' AND c.collversion IS NOT NULL
      AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid) AS version_differs
  FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
  WHERE c.oid IN (SELECT unnest(u.indcollation::oid[]) FROM pg_index u)),
chosen AS MATERIALIZED (
  SELECT x.*, i.relname AS index_name, n.nspname AS index_schema, t.relname AS table_name, tn.nspname AS table_schema,
    t.relkind = 'p' AS is_parent, am.amname
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace JOIN pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_am am ON am.oid = i.relam
  WHERE i.relpersistence <> 't' AND tn.nspname NOT IN ('pg_catalog', 'information_schema')
    AND tn.nspname !~ '^pg_(temp|toast_temp)_' AND (tn.nspname <> 'pg_toast' OR NOT x.indisvalid)
    AND t.oid::bigint <> ALL (CAST(:locked AS bigint[]))),
stats AS MATERIALIZED (
  SELECT s.schemaname, s.tablename, s.attname, s.inherited, s.null_frac, s.n_distinct, s.avg_width,
    s.most_common_vals, s.most_common_freqs, s.histogram_bounds
  FROM pg_stats s WHERE s.schemaname NOT IN ('pg_catalog', 'information_schema')),
referenced AS MATERIALIZED (SELECT DISTINCT f.conindid FROM pg_constraint f WHERE f.contype = 'f'),
parts AS MATERIALIZED (
  SELECT x.indexrelid, jsonb_agg(jsonb_build_object(
        'text', pg_get_indexdef(x.indexrelid, k, false), 'column', ta.attname, 'opclass', oc.name,
        'opclass_options', ia.attoptions, 'equal_image', o.equal_image,
        'collation', co.name, 'deterministic', co.deterministic, 'version_differs', co.version_differs,
        'option', CASE WHEN k <= x.indnkeyatts THEN x.indoption[k - 1] END,
        'length', ia.attlen, 'alignment', ia.attalign,
        'null_fraction', ps.null_frac, 'distinct', ps.n_distinct, 'average_bytes', ps.avg_width,
        'frequencies', ps.most_common_freqs,
        'common_bytes', (SELECT jsonb_agg(CASE ia.atttypid WHEN 'numeric'::regtype
            THEN pg_column_size(v::numeric) - 3 WHEN 'bytea'::regtype THEN octet_length(v::bytea) + 1
            ELSE octet_length(v) + 1 END) FROM unnest(ps.most_common_vals::text::text[]) v WHERE sized),
        'sample_bytes', (SELECT jsonb_agg(CASE ia.atttypid WHEN 'numeric'::regtype
            THEN pg_column_size(v::numeric) - 3 WHEN 'bytea'::regtype THEN octet_length(v::bytea) + 1
            ELSE octet_length(v) + 1 END) FROM unnest(ps.histogram_bounds::text::text[]) v WHERE sized)
        ) ORDER BY k) AS parts
  FROM chosen x CROSS JOIN LATERAL generate_series(1, x.indnatts::int) k
      JOIN pg_attribute ia ON ia.attrelid = x.indexrelid AND ia.attnum = k
      CROSS JOIN LATERAL (SELECT x.amname = 'btree' AND ia.atttypid::regtype::text = ANY (
        '{text,character varying,character,cstring,numeric,bytea}') AS sized) z
      LEFT JOIN pg_attribute ta ON ta.attrelid = x.indrelid AND ta.attnum = x.indkey[k - 1] AND ta.attnum <> 0
      LEFT JOIN classes o ON k <= x.indnkeyatts AND o.oid = x.indclass[k - 1]
      LEFT JOIN classes oc ON oc.oid::bigint = o.first
      LEFT JOIN collations co ON k <= x.indnkeyatts AND co.oid = x.indcollation[k - 1]
      LEFT JOIN stats ps ON ps.inherited = x.is_parent
        AND ps.schemaname = CASE WHEN ta.attname IS NULL THEN x.index_schema ELSE x.table_schema END
        AND ps.tablename = CASE WHEN ta.attname IS NULL THEN x.index_name ELSE x.table_name END
        AND ps.attname = coalesce(ta.attname, ia.attname)
  GROUP BY x.indexrelid)
SELECT to_jsonb(q) FROM (
  SELECT n.nspname AS schema, tn.nspname AS table_schema, t.relname AS table, i.relname AS name, am.amname AS method,
    i.oid::bigint AS oid, t.oid::bigint AS table_oid, pg_relation_filenode(i.oid)::bigint AS file_node,
    i.relkind = 'I' AS is_partitioned, i.relispartition AS is_partition,
    (SELECT h.inhparent::bigint FROM pg_inherits h WHERE h.inhrelid = i.oid) AS parent_oid,
    x.indisunique AS is_unique, x.indisexclusion AS is_exclusion, x.indisprimary AS is_primary,
    coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_not_distinct,
    x.indisvalid AS is_valid, x.indisready AS is_ready, x.indislive AS is_live, NOT x.indimmediate AS is_deferrable,
    x.indisreplident AS is_replica_identity, x.indisclustered AS is_clustered,
    pg_get_expr(x.indpred, x.indrelid) AS predicate, pg_get_indexdef(i.oid) AS definition,
    c.contype AS constraint_type,
    i.oid IN (SELECT r.conindid FROM referenced r) AS is_referenced,
    (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.classid = 'pg_class'::regclass
      AND d.objid IN (i.oid, t.oid) AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass LIMIT 1)
      AS extension,
    coalesce(i.reloptions, '{}') AS options,
    pg_relation_size(i.oid) AS size_bytes,
    CASE WHEN x.indpred IS NULL AND t.reltuples >= 0 THEN t.reltuples ELSE i.reltuples END AS rows,
    s.idx_scan AS scans,
    x.indnkeyatts AS key_count, am.amname = 'btree' AND x.indnatts = x.indnkeyatts
      AND NOT 'deduplicate_items=off' = ANY (coalesce(i.reloptions, '{}')) AS may_deduplicate,
    p.parts
  FROM chosen x JOIN parts p ON p.indexrelid = x.indexrelid
  JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace JOIN pg_namespace tn ON tn.oid = t.relnamespace
  JOIN pg_am am ON am.oid = i.relam
  LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.conrelid = t.oid AND c.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid
  ORDER BY i.oid
) q"""

# PostgreSQL 15 and later.
DATABASE_COLLATION_DIFFERS = """
SELECT d.datcollversion IS NOT NULL AND d.datcollversion IS DISTINCT FROM pg_database_collation_actual_version(d.oid)
FROM pg_database d WHERE d.datname = current_database()"""

FOREIGN_KEYS = """
SELECT to_jsonb(q) FROM (
  SELECT n.nspname AS schema, t.relname AS table, c.conname AS name, pn.nspname AS parent_schema,
    p.relname AS parent_table, c.conrelid::bigint AS table_oid, c.confrelid::bigint AS parent_oid,
    c.confdeltype AS on_delete, c.confupdtype AS on_update,
    coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false) AS has_period,
    coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) AS is_enforced,
    (SELECT jsonb_agg(a.attname ORDER BY k.ordinality) FROM unnest(c.conkey) WITH ORDINALITY k(number, ordinality)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS columns,
    (SELECT jsonb_agg(a.attname ORDER BY k.ordinality) FROM unnest(c.confkey) WITH ORDINALITY k(number, ordinality)
      JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number) AS parent_columns,
    (SELECT format(CASE t.relkind WHEN 'p' THEN 'CREATE INDEX ON %I.%I (%s)'
        ELSE 'CREATE INDEX CONCURRENTLY ON %I.%I (%s)' END, n.nspname, t.relname,
        string_agg(quote_ident(a.attname), ', ' ORDER BY k.ordinality))
      FROM unnest(c.conkey) WITH ORDINALITY k(number, ordinality)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number) AS index_statement
  FROM pg_constraint c
  JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_class p ON p.oid = c.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE c.contype = 'f' AND c.conparentid = 0 AND t.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  ORDER BY n.nspname, t.relname, c.conname
) q"""

BUILDS = """
SELECT to_jsonb(q)
FROM (
  SELECT
    b.relid::bigint AS table_oid,
    nullif(b.index_relid::bigint, 0) AS index_oid
  FROM pg_stat_progress_create_index b
  WHERE b.datname = current_database()
) q"""

# The view lies in whatever schema the extension was installed in.
STATEMENTS = """
SELECT to_jsonb(s) || jsonb_build_object('query', left(s.query, 20000))
FROM {schema}.pg_stat_statements s
WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
ORDER BY coalesce((to_jsonb(s) ->> 'total_exec_time')::float8, (to_jsonb(s) ->> 'total_time')::float8) DESC
LIMIT :most"""

# An extension's functions and views are named with its schema, which may be one that others can write to.
EXTENSION_SCHEMA = """
SELECT quote_ident(n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = :extension"""
