"""Names of schemas, tables, columns and indexes as MySQL and MariaDB write them. Pure."""

# The schemas that belong to the server itself.
SYSTEM_SCHEMAS = ("mysql", "sys", "information_schema", "performance_schema")


def quoted(name: str) -> str:
    """Return the name in backticks; a backtick inside it is doubled, as by the server's sys.quote_identifier()."""
    return "`" + name.replace("`", "``") + "`"


def unquoted(name: str) -> str:
    """Return the name without its backticks, if it has any."""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
