"""The search path for the statements of this application: pg_catalog alone.

PostgreSQL prefers a function or operator in any schema of the path to pg_catalog's if its arguments fit better. If
others can write to that schema, their code runs with the rights of this application (PostgreSQL manual, "Function Type
Resolution"; CVE-2018-1058). Neither of the two statements looks up a name in the path that it replaces.
"""

# PostgreSQL searches pg_temp first unless the path names it.
_CATALOG_ALONE = "pg_catalog, pg_temp"

# The first statement of every session.
CLOSE = f"SELECT pg_catalog.set_config('search_path', '{_CATALOG_ALONE}', false)"
# The first statement of a transaction in a session that other clients may have used.
CLOSE_IN_TRANSACTION = f"SET LOCAL search_path = {_CATALOG_ALONE}"
# Only for the text of the team's statements, until CLOSE_IN_TRANSACTION: the path of the role that ran them, which that
# role can set itself; if it is not given, the path of this session's role or of the database. It is sent while the path
# is closed, and every other statement sent meanwhile names the schema of each object.
LEND = """
SELECT set_config('search_path', coalesce(CAST(:path AS text), s.reset_val), true)
FROM pg_settings s
WHERE s.name = 'search_path'"""


def is_closed(path: str) -> bool:
    """Tell whether a search path, as the server reports it, names only schemas that others cannot write to."""
    return [name.strip() for name in path.replace('"', "").split(",")] == ["pg_catalog", "pg_temp"]
