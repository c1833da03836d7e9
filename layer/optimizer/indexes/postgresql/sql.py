"""The queries of the PostgreSQL reader about the server and its work: constant texts, each row one JSON object.

Every query reads a column that only some versions have from the row as JSON (`to_jsonb(row) ->> 'column'`), which is
NULL if the server has no such column: the server's own catalog decides what is read, not a table of versions. Names are
returned as the server's texts, and are sent as bound parameters or through the server's quote_ident and format.
"""

SERVER = """
SELECT to_jsonb(q)
FROM (
  SELECT
    current_setting('server_version_num')::int AS version_number,
    current_database() AS database,
    coalesce(host(inet_server_addr()), 'local') || ':' || current_setting('port') AS address,
    now() AS read_at,
    pg_is_in_recovery() AS is_replica,
    pg_postmaster_start_time() AS started_at,
    greatest(d.stats_reset, (SELECT b.stats_reset FROM pg_stat_bgwriter b)) AS counted_since,
    current_setting('block_size')::int AS block_bytes,
    EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'aurora_version') AS is_aurora,
    (SELECT jsonb_object_agg(e.extname, e.extversion) FROM pg_extension e) AS extensions,
    (SELECT jsonb_object_agg(s.name, s.setting) FROM pg_settings s) AS settings,
    to_regproc('pg_database_collation_actual_version') IS NOT NULL AS has_database_collation_version,
    (
      SELECT count(*)
      FROM pg_stat_replication r
      WHERE r.application_name IS DISTINCT FROM 'pg_basebackup'
        AND NOT EXISTS (
          SELECT FROM pg_replication_slots p WHERE p.active_pid = r.pid AND p.slot_type = 'logical'
        )
    ) AS replicas
  FROM pg_stat_database d
  WHERE d.datname = current_database()
) q"""

# PostgreSQL 15 and later.
DATABASE_COLLATION_DIFFERS = """
SELECT d.datcollversion IS NOT NULL AND d.datcollversion IS DISTINCT FROM pg_database_collation_actual_version(d.oid)
FROM pg_database d
WHERE d.datname = current_database()"""

BUILDS = """
SELECT to_jsonb(q)
FROM (
  SELECT
    b.relid::bigint AS table_oid,
    nullif(b.index_relid::bigint, 0) AS index_oid
  FROM pg_stat_progress_create_index b
  WHERE b.datname = current_database()
) q"""

# The schema of the view is the one that the extension was installed in.
STATEMENTS = """
SELECT to_jsonb(s) || jsonb_build_object('query', left(s.query, 20000))
FROM {schema}.pg_stat_statements s
WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
ORDER BY coalesce((to_jsonb(s) ->> 'total_exec_time')::float8, (to_jsonb(s) ->> 'total_time')::float8) DESC
LIMIT :most"""

# Planning a statement runs the IMMUTABLE functions that it names, with the rights of this session. So the role that ran
# it must be trusted: the session's own, or one that it is a member of. A superuser counts as a member of every role, so
# of a superuser only the own statements are planned. Roles of the server and of RDS are rights with many members, such
# as pg_monitor and rds_iam, and each member can run statements as that role.
#
# A role's search path is the one of the role in the database, else of the role, of the database, or of the server.
_PATH = """
    SELECT substr(c.setting, length('search_path=') + 1) AS configured
    FROM pg_db_role_setting d
    CROSS JOIN unnest(d.setconfig) c(setting)
    WHERE c.setting LIKE 'search\\_path=%'
      AND d.setrole IN ({role}, '0')
      AND d.setdatabase IN ((SELECT b.oid FROM pg_database b WHERE b.datname = current_database()), '0')
    ORDER BY d.setrole = '0', d.setdatabase = '0'
    LIMIT 1
  """
_OWN_ROLE = "(SELECT u.oid FROM pg_roles u WHERE u.rolname = session_user)"
ROLES = """
SELECT to_jsonb(q)
FROM (
  SELECT
    r.oid::bigint AS oid,
    r.rolname AS name,
    r.rolname = current_user
    OR (
      pg_catalog.pg_has_role(r.oid, 'MEMBER')
      AND r.rolname !~ '^(pg|rds)_'
      AND NOT EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND s.rolname IN (current_user, session_user))
    ) AS is_trusted,
    p.configured IS NOT NULL AS is_path_known,
    -- The session that reads this may have a path of its own, which is then not the server's.
    replace(
      coalesce(p.configured, CASE WHEN o.configured IS NULL THEN s.reset_val ELSE s.boot_val END),
      CASE WHEN coalesce(p.configured, s.reset_val) LIKE '%"$user"%' THEN '"$user"' ELSE '$user' END,
      quote_ident(r.rolname)
    ) AS search_path
  FROM pg_roles r
  JOIN pg_settings s ON s.name = 'search_path'
  LEFT JOIN LATERAL ({of_role}) p ON true
  LEFT JOIN LATERAL ({of_session}) o ON true
  WHERE r.oid::bigint = ANY (CAST(:roles AS bigint[]))
) q""".format(of_role=_PATH.format(role="r.oid"), of_session=_PATH.format(role=_OWN_ROLE))  # noqa: S608 - constants

# Functions and views of an extension are named with its schema, which may be one that others can write to.
EXTENSION_SCHEMA = """
SELECT quote_ident(n.nspname)
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = :extension"""
