"""SQL that the changes of indexes need on PostgreSQL 13 and later.

Names are passed as values, or the server quotes them.
"""

# The shape of a definition is the part after the index's name, which occurs only once before ON.
LOOK_INDEX = """
SELECT n.nspname AS schema,
       t.relname AS table,
       i.relname AS index,
       i.oid::bigint AS oid,
       t.oid::bigint AS table_oid,
       coalesce(pg_relation_size(i.oid), 0) AS size_bytes,
       i.relfilenode AS file_node,
       pg_get_indexdef(i.oid) AS definition,
       quote_ident(i.relname) AS quoted,
       x.indisvalid AS is_valid,
       x.indisunique AS is_unique,
       x.indisexclusion AS is_exclusion,
       x.indisreplident AS is_replica_identity,
       x.indisclustered AS is_clustered,
       x.indpred IS NOT NULL AS is_partial,
       x.indexprs IS NOT NULL AS has_expressions,
       i.relkind = 'I' AS is_partitioned,
       i.relispartition AS is_partition,
       n.nspname ~ '^(pg_|information_schema$)' AS is_system,
       EXISTS (
         SELECT
         FROM pg_constraint c
         WHERE c.conindid = i.oid
           AND c.contype IN ('p', 'u', 'x')
       ) AS has_constraint,
       EXISTS (
         SELECT
         FROM pg_constraint c
         WHERE c.conindid = i.oid
           AND c.contype = 'f'
       ) AS is_referenced,
       EXISTS (
         SELECT
         FROM pg_depend d
         WHERE d.deptype = 'e'
           AND d.objid IN (i.oid, t.oid)
       ) AS of_extension,
       EXISTS (
         SELECT
         FROM pg_constraint f
         WHERE f.contype = 'f'
           AND f.conrelid = x.indrelid
           AND f.conkey <@ (
             SELECT array_agg(k)
             FROM unnest(x.indkey::int2[]) WITH ORDINALITY u(k, n)
             WHERE n <= cardinality(f.conkey)
           )
           AND NOT EXISTS (
             SELECT
             FROM pg_index o
             WHERE o.indrelid = x.indrelid
               AND o.indexrelid <> x.indexrelid
               AND o.indisvalid
               AND o.indpred IS NULL
               AND f.conkey <@ (
                 SELECT array_agg(k)
                 FROM unnest(o.indkey::int2[]) WITH ORDINALITY u(k, n)
                 WHERE n <= cardinality(f.conkey)
               )
           )
       ) AS alone_for_foreign_key,
       s.idx_scan AS scans
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = x.indexrelid
WHERE n.nspname = :schema
  AND t.relname = :table
  AND i.relname = :index
"""

LOOK_TABLE = """
SELECT n.nspname AS schema,
       t.relname AS table,
       t.oid::bigint AS table_oid,
       coalesce(pg_table_size(t.oid), 0) AS size_bytes,
       n.nspname ~ '^(pg_|information_schema$)' AS is_system,
       concat_ws(' ', s.analyze_count, s.autoanalyze_count, s.last_analyze, s.last_autoanalyze) AS analyzed,
       concat_ws(' ', s.vacuum_count, s.autovacuum_count, s.last_vacuum, s.last_autovacuum) AS vacuumed
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_stat_all_tables s ON s.relid = t.oid
WHERE n.nspname = :schema
  AND t.relname = :table
  AND t.relkind IN ('r', 'p', 'm')
"""

# Interrupted builds leave invalid indexes; an index that a session is still building is not a leftover.
LEFTOVERS = """
SELECT n.nspname AS schema,
       t.relname AS table,
       i.relname AS index
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
WHERE x.indrelid = :table_oid
  AND NOT x.indisvalid
  AND i.relkind = 'i'
  AND NOT EXISTS (
    SELECT
    FROM pg_stat_progress_create_index p
    WHERE x.indexrelid = p.index_relid
  )
ORDER BY i.oid
"""

OLDEST_TRANSACTION = """
SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) AS seconds,
       (array_agg(format('process %s of %s (%s)', pid, usename, state) ORDER BY xact_start))[1] AS holder,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage') AS sees_all
FROM pg_stat_activity
WHERE xact_start IS NOT NULL
  AND pid <> pg_backend_pid()
  AND datname = current_database()
  AND backend_type IN ('client backend', 'parallel worker', 'background worker')
"""

OLDEST_PREPARED = """
SELECT extract(epoch FROM clock_timestamp() - min(prepared)) AS seconds,
       min(gid) AS gid
FROM pg_prepared_xacts
WHERE database = current_database()
"""

# The count is that of the whole server, whose processors all databases share.
ACTIVE_SESSIONS = """
SELECT count(*) FILTER (WHERE state = 'active') AS sessions,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage') AS sees_all
FROM pg_stat_activity
WHERE backend_type = 'client backend'
  AND pid <> pg_backend_pid()
"""

VERSION = """
SELECT current_setting('server_version_num')::int AS number
"""

LOCK_WAITERS = """
SELECT count(*) AS waiters
FROM pg_locks l
LEFT JOIN pg_database d ON d.oid = l.database
WHERE NOT l.granted
  AND (l.database IS NULL OR d.datname = current_database())
"""

REPLICA_LAG = """
SELECT max(extract(epoch FROM coalesce(replay_lag, flush_lag, write_lag))) AS seconds
FROM pg_stat_replication
WHERE application_name IS DISTINCT FROM 'pg_basebackup'
"""

# The schema matters, because any user may create a function of this name in their own schema.
IS_AURORA = """
SELECT EXISTS (
         SELECT
         FROM pg_proc
         WHERE proname = 'aurora_replica_status'
           AND pronamespace = CAST('pg_catalog' AS regnamespace)
       ) AS is_aurora
"""

REPLICA_LAG_AURORA = """
SELECT max(replica_lag_in_msec) / 1000.0 AS seconds
FROM pg_catalog.aurora_replica_status()
WHERE session_id <> 'MASTER_SESSION_ID'
"""

BUSY = """
SELECT format('%s is running (process %s)', command, pid) AS busy
FROM pg_stat_progress_create_index
WHERE relid = :table_oid
UNION ALL
SELECT format('VACUUM is running (process %s)', pid)
FROM pg_stat_progress_vacuum
WHERE relid = :table_oid
"""

SESSION = """
SELECT pid,
       extract(epoch FROM backend_start)::text AS since
FROM pg_stat_activity
WHERE pid = pg_backend_pid()
"""

# A build writes whole pages to the log, and every commit waits until they are on the disk; compression makes that
# shorter. A superuser may change the setting and, from version 15 on, any role that was granted the parameter.
MAY_SET = """
SELECT to_regprocedure('pg_catalog.has_parameter_privilege(text,text)') IS NOT NULL AS knows_grants
"""

COMPRESS_LOG = """
SELECT set_config(name, CASE WHEN 'lz4' = ANY (enumvals) THEN 'lz4' ELSE 'on' END, false)
FROM pg_settings
WHERE name = 'wal_compression'
  AND setting = 'off'
  AND {allowed}
"""
GRANTED = "has_parameter_privilege('wal_compression', 'SET')"
IS_SUPERUSER = "current_setting('is_superuser') = 'on'"

# `is_session` is one of the two conditions below.
RUNNING = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - a.query_start), 0) AS seconds,
       p.phase,
       CASE WHEN p.blocks_total > 0 THEN p.blocks_done::float8 / p.blocks_total END AS share
FROM pg_stat_activity a
LEFT JOIN pg_stat_progress_create_index p ON p.pid = a.pid
WHERE {is_session}
"""

CANCEL = """
SELECT pg_cancel_backend(a.pid) AS done
FROM pg_stat_activity a
WHERE {is_session}
"""

IS_PROCESS = "a.pid = :pid AND extract(epoch FROM a.backend_start)::text = :since AND a.state <> 'idle'"
# Where the process is unknown, the text of the statement, which the server may have cut, and the role decide.
IS_STATEMENT = (
    "a.usename = current_user AND a.state = 'active' AND a.query <> ''"
    " AND starts_with(CAST(:statement AS text), a.query)"
)

# The settings that a new session of the role gets, whatever this session has set for itself.
OWN_SETTINGS = """
SELECT l.setting::int AS lock_timeout_ms,
       p.reset_val AS search_path,
       quote_ident(current_user) AS role
FROM pg_settings l, pg_settings p
WHERE l.name = 'lock_timeout'
  AND p.name = 'search_path'
"""

# The oid identifies the index, so that another index that took its name in the meantime is not touched.
QUOTED_INDEX = """
SELECT format('%I.%I', n.nspname, i.relname) AS name
FROM pg_class i
JOIN pg_namespace n ON n.oid = i.relnamespace
JOIN pg_index x ON x.indexrelid = i.oid
WHERE i.oid = :oid
  AND x.indrelid = :table_oid
"""

QUOTED_TABLE = """
SELECT format('%I.%I', n.nspname, t.relname) AS name
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE t.oid = :table_oid
"""

STATEMENT_VIEW = """
SELECT format('%I.pg_stat_statements', n.nspname) AS name,
       EXISTS (
         SELECT
         FROM pg_attribute a
         JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relname = 'pg_stat_statements'
           AND c.relnamespace = n.oid
           AND a.attname = 'total_exec_time'
       ) AS has_exec_time
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""

STATEMENTS = """
SELECT format('%s/%s', userid, queryid) AS key,
       sum(calls)::float8 AS calls,
       sum({total}) AS total_ms,
       sum(calls * ({stddev} * {stddev} + {mean} * {mean})) AS squares_ms2,
       min(query) AS text
FROM {view}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND position(lower(:table) IN lower(query)) > 0
  AND query !~* '^\\s*(explain|create|drop|alter|reindex|analyze|vacuum|copy|set|begin|commit)'
GROUP BY 1
ORDER BY total_ms DESC
LIMIT 50
"""
