"""Where PostgreSQL looks up the names in our statements: in pg_catalog alone.

A function or an operator in a schema that others can write to wins over pg_catalog's where its arguments fit better,
wherever that schema stands in the path, and would run with our rights (PostgreSQL manual, "Function Type Resolution";
CVE-2018-1058). The two statements themselves look nothing up in the path that they replace.
"""

# Unless it is named, pg_temp comes first.
_CATALOG_ALONE = "pg_catalog, pg_temp"

# The first statement of every session.
CLOSE = f"SELECT pg_catalog.set_config('search_path', '{_CATALOG_ALONE}', false)"
# The first statement of a transaction whose session may not be ours.
CLOSE_IN_TRANSACTION = f"SET LOCAL search_path = {_CATALOG_ALONE}"
# For the text of others alone, until CLOSE_IN_TRANSACTION: the names in it are those of the application's search path,
# here that of the role or the database. Sent while the path is closed; what is sent meanwhile is qualified throughout.
LEND = """
SELECT set_config('search_path', s.reset_val, true) FROM pg_settings s WHERE s.name = 'search_path'"""


def is_closed(path: str) -> bool:
    """Whether a search path, as the server gives it, names nothing that others can write to."""
    return [name.strip() for name in path.replace('"', "").split(",")] == ["pg_catalog", "pg_temp"]
