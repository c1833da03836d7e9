"""`optimizer inspect indexes`: superfluous, unused, missing and bloated indexes, and reasons to keep the others."""

import dataclasses
import json
import ssl
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click
from optimizer.core import canonical_json
from optimizer.indexes import detect_findings
from optimizer.indexes.connect import AccessDenied, DatabaseUnreachable, Login, close, connect
from optimizer.indexes.model import Action, Catalog, Finding
from optimizer.policy import Indexes
from pg8000.exceptions import DatabaseError, InterfaceError
from pymysql import MySQLError

from optimizer_cli.inspections import index_tables
from optimizer_cli.inspections.database_url import BadUrl, DatabaseUrl
from optimizer_cli.inspections.index_statements import statements_for
from optimizer_cli.printing import console, echo

FOUND = 3
_READ_WITHIN_S = 120.0


class CannotRead(RuntimeError):
    """A database cannot be read; the message is one line."""


@click.command(epilog="Ends with 1 if the database cannot be read, and with --check with 3 if a change is recommended.")
@click.option(
    "--url",
    "--dsn",
    "url",
    required=True,
    envvar="OPTIMIZER_DATABASE_URL",
    help="postgresql:// or mysql://[user[:password]@]host[:port][/database]; MySQL and MariaDB without a database: all "
    "of them. A password is better kept in the variable OPTIMIZER_DATABASE_URL than in a command line.",
)
@click.option(
    "--replica",
    "replicas",
    multiple=True,
    metavar="HOST[:PORT]",
    help="A replica, same user and database: an index that only it uses is in use. Repeat it for each.",
)
@click.option(
    "--tls", type=click.Choice(["verify", "off"]), help="TLS of the connection. Default: verify; off for this machine."
)
@click.option("--iam-token", is_flag=True, help="The password is an IAM token, which RDS takes in clear text over TLS.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="Certificates to trust (PEM).")
@click.option(
    "--days",
    type=click.IntRange(0),
    default=Indexes().min_observation_days,
    show_default=True,
    help="Days without a read on every node before an index counts as unused.",
)
@click.option("--kept", is_flag=True, help="Show also the indexes that look superfluous and are kept, with the reason.")
@click.option("--check", is_flag=True, help="End with 3 if a change is recommended.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    url: str,
    replicas: tuple[str, ...],
    tls: str | None,
    iam_token: bool,
    ca_file: str | None,
    days: int,
    kept: bool,
    check: bool,
    as_json: bool,
) -> None:
    """Show superfluous, unused, missing and bloated indexes, and the reasons to keep the others.

    Read the catalog and the statistics of the server, and with PostgreSQL's pgstattuple the pages of indexes that seem
    bloated; no rows of tables. Queries wait for locks only briefly. Read-only.
    """
    try:
        writer = DatabaseUrl.parse(url, tls)
        nodes = [_read(node, ca_file, is_token=iam_token) for node in (writer, *(writer.at(host) for host in replicas))]
    except (BadUrl, CannotRead) as error:
        if as_json:
            echo(json.dumps({"error": str(error)}))
        raise click.ClickException(str(error)) from error
    findings = detect_findings(nodes, replace(Indexes(), min_observation_days=days, rebuild_after_runs=1))
    if as_json:
        echo(json.dumps(_document(nodes, findings, kept=kept), ensure_ascii=False))
    else:
        index_tables.show(nodes, findings, console(), kept=kept)
    sys.exit(FOUND if check and any(finding.action is not Action.NONE for finding in findings) else 0)


def _read(node: DatabaseUrl, ca_file: str | None, *, is_token: bool) -> Catalog:
    """Read the catalog; raises CannotRead for any cause, in one line and without the password."""
    context = _tls(node, ca_file)
    user, password = node.user, node.password
    login = Login(node.engine, node.database, node.address, user, password, context, _READ_WITHIN_S, is_token)
    try:
        connection: Any = connect(login)
    except (DatabaseUnreachable, AccessDenied) as failed:
        raise CannotRead(_one_line(failed)) from failed
    try:
        return _catalog(node, connection)
    except (DatabaseError, InterfaceError, MySQLError, OSError, ValueError, LookupError) as failed:
        raise CannotRead(f"{node.where} cannot be read: {_one_line(failed)}") from failed
    finally:
        close(connection)


def _catalog(node: DatabaseUrl, connection: Any) -> Catalog:
    """Read the catalog, loading only the driver and reader of its engine."""
    if node.engine == "postgresql":
        from optimizer.indexes.postgresql.look import look

        return look(connection, node=node.where)
    from optimizer.indexes.mysql import reader

    return reader.read_catalog(connection, database=node.database, node=node.where)


def _tls(node: DatabaseUrl, ca_file: str | None) -> ssl.SSLContext | None:
    if not node.tls:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (ssl.SSLError, OSError) as unusable:
        raise CannotRead(f"{ca_file} holds no certificates: {unusable}") from unusable


def _one_line(error: BaseException) -> str:
    """Return the server's message: PostgreSQL's driver gives a dictionary, MySQL's a number and a text."""
    first = error.args[0] if error.args else ""
    if isinstance(first, dict):
        return f"{first.get('M')} ({first.get('C')})"
    text = f"{error.args[1]} ({first})" if isinstance(error, MySQLError) and len(error.args) > 1 else str(error)
    return " ".join(text.split()) or type(error).__name__


def _document(nodes: Sequence[Catalog], findings: Sequence[Finding], *, kept: bool) -> dict[str, Any]:
    catalog = nodes[0]
    sorted_out = index_tables.sort_out(findings)
    shown = [*sorted_out.todo, *((*sorted_out.kept, *sorted_out.not_known) if kept else ())]
    return {
        "server": {
            "engine": catalog.server.engine,
            "version": ".".join(map(str, catalog.server.version)),
            "database": catalog.server.database,
            "read_at": catalog.server.read_at.isoformat(),
        },
        "nodes": [node.server.node for node in nodes],
        "tables": len(catalog.tables),
        "indexes": len(catalog.indexes),
        "findings": [
            {
                **canonical_json.plain(finding),
                **dataclasses.asdict(statements_for(finding, catalog.server.engine)),
            }
            for finding in shown
        ],
        "kept": len(sorted_out.kept),
        "not_known_long_enough": len(sorted_out.not_known),
        "not_read": {node.server.node: dict(node.not_read) for node in nodes if node.not_read},
    }
