"""SQL that the changes of indexes need on MySQL and MariaDB. Names in conditions are values."""

# A character that no name contains.
SEPARATOR = "\x1f"

TABLE = """
SELECT DATA_LENGTH AS data_length,
       INDEX_LENGTH AS index_length,
       CONCAT_WS(' ', CREATE_TIME, DATA_FREE) AS made
FROM information_schema.TABLES
WHERE TABLE_SCHEMA = %(schema)s
  AND TABLE_NAME = %(table)s
  AND TABLE_TYPE = 'BASE TABLE'
"""

INDEX = """
SELECT MAX(s.NON_UNIQUE) AS non_unique,
       (
         SELECT MAX(u.COUNT_STAR)
         FROM performance_schema.table_io_waits_summary_by_index_usage u
         WHERE u.OBJECT_SCHEMA = %(schema)s
           AND u.OBJECT_NAME = %(table)s
           AND u.INDEX_NAME = %(index)s
       ) AS scans
FROM information_schema.STATISTICS s
WHERE s.TABLE_SCHEMA = %(schema)s
  AND s.TABLE_NAME = %(table)s
  AND s.INDEX_NAME = %(index)s
"""

# These two need the right to read the schema mysql.
ANALYZED = """
SELECT MAX(last_update) AS analyzed
FROM mysql.innodb_table_stats
WHERE database_name = %(schema)s
  AND table_name = %(table)s
"""

INDEX_BYTES = """
SELECT MAX(stat_value) * @@innodb_page_size AS size_bytes
FROM mysql.innodb_index_stats
WHERE database_name = %(schema)s
  AND table_name = %(table)s
  AND index_name = %(index)s
  AND stat_name = 'size'
"""

COLUMNS = """
SELECT COLUMN_NAME AS name
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %(schema)s
  AND TABLE_NAME = %(table)s
  AND INDEX_NAME = %(index)s
ORDER BY SEQ_IN_INDEX
"""

OTHER_INDEXES = f"""
SELECT INDEX_NAME AS name,
       GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR '{SEPARATOR}') AS columns
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %(schema)s
  AND TABLE_NAME = %(table)s
  AND INDEX_NAME <> %(index)s
  AND INDEX_TYPE = 'BTREE'
GROUP BY INDEX_NAME
"""  # noqa: S608 - the separator is a constant

# The foreign keys of the table, and those of other tables that refer to it: both sides need an index.
FOREIGN_KEYS = f"""
SELECT CONSTRAINT_NAME AS name,
       GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR '{SEPARATOR}') AS columns
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = %(schema)s
  AND TABLE_NAME = %(table)s
  AND REFERENCED_TABLE_NAME IS NOT NULL
GROUP BY CONSTRAINT_NAME
UNION ALL
SELECT CONSTRAINT_NAME,
       GROUP_CONCAT(REFERENCED_COLUMN_NAME ORDER BY POSITION_IN_UNIQUE_CONSTRAINT SEPARATOR '{SEPARATOR}')
FROM information_schema.KEY_COLUMN_USAGE
WHERE REFERENCED_TABLE_SCHEMA = %(schema)s
  AND REFERENCED_TABLE_NAME = %(table)s
GROUP BY TABLE_SCHEMA, CONSTRAINT_NAME
"""  # noqa: S608 - the separator is a constant

OLDEST_TRANSACTION = """
SELECT TIMESTAMPDIFF(SECOND, MIN(trx_started), NOW()) AS seconds,
       CONCAT('connection ', SUBSTRING_INDEX(GROUP_CONCAT(trx_mysql_thread_id ORDER BY trx_started), ',', 1)) AS holder
FROM information_schema.INNODB_TRX
WHERE trx_mysql_thread_id <> CONNECTION_ID()
"""

LOCK_WAITERS = """
SELECT COUNT(*) AS waiters
FROM information_schema.PROCESSLIST
WHERE STATE LIKE 'Waiting for table%%lock'
"""

# The count is that of the whole server and includes this session.
ACTIVE_SESSIONS = "SHOW GLOBAL STATUS LIKE 'Threads_running'"

BUSY = """
SELECT ID AS id
FROM information_schema.PROCESSLIST
WHERE ID <> CONNECTION_ID()
  AND COMMAND = 'Query'
  AND INFO LIKE %(table)s
  AND (
    INFO LIKE 'ALTER %%'
    OR INFO LIKE 'OPTIMIZE %%'
    OR INFO LIKE 'CREATE %%INDEX%%'
    OR INFO LIKE 'DROP INDEX%%'
  )
"""

SESSION = "SELECT CONNECTION_ID() AS id, UNIX_TIMESTAMP() AS now"

UPTIME = "SHOW GLOBAL STATUS LIKE 'Uptime'"

RUNNING = """
SELECT TIME AS seconds,
       STATE AS phase
FROM information_schema.PROCESSLIST
WHERE ID = %(id)s
  AND COMMAND NOT IN ('Sleep', 'Daemon')
"""

STATEMENTS = """
SELECT DIGEST AS digest,
       SUM(COUNT_STAR) AS calls,
       SUM(SUM_TIMER_WAIT) AS timer,
       MIN(DIGEST_TEXT) AS text
FROM performance_schema.events_statements_summary_by_digest
WHERE SCHEMA_NAME = %(schema)s
  AND DIGEST IS NOT NULL
  AND DIGEST_TEXT LIKE %(table)s
  AND DIGEST_TEXT NOT LIKE 'ALTER %%'
  AND DIGEST_TEXT NOT LIKE 'CREATE %%'
  AND DIGEST_TEXT NOT LIKE 'DROP %%'
  AND DIGEST_TEXT NOT LIKE 'ANALYZE %%'
  AND DIGEST_TEXT NOT LIKE 'EXPLAIN %%'
  AND DIGEST_TEXT NOT LIKE 'SHOW %%'
GROUP BY DIGEST
ORDER BY timer DESC
LIMIT 50
"""
