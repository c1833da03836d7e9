"""Run a team's PostgreSQL beside the local account, with well-known faults.

It has a bloated index, a duplicate index, the leftovers of an interrupted rebuild, a foreign key without an index, and
statistics that were never gathered.
"""

import contextlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from pg8000.exceptions import DatabaseError

from local_account.account import LocalAccount
from local_account.servers import postgresql
from local_account.servers.postgresql import PASSWORD, SUPERUSER, PostgresServer

NAME = "shop"
_SECRET = "shop-database"
# CloudWatch knows only the metrics that are put there; a local account lives for less than this.
_METRICS_FOR = timedelta(hours=6)
_METRICS_EVERY = timedelta(minutes=5)
_METRICS = {"CPUUtilization": (12.0, "Percent"), "FreeStorageSpace": (40.0 * (1 << 30), "Bytes")}
_SCHEMA: tuple[str, ...] = (
    # Never analysed.
    "CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL)",
    "INSERT INTO customer SELECT n, 'customer ' || n FROM generate_series(1, 6000) n",
    # A foreign key without an index, whose parent loses rows.
    "CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, amount numeric NOT NULL)",
    "INSERT INTO orders SELECT n, n % 5000 + 1, n % 1000 FROM generate_series(1, 20000) n",
    "DELETE FROM customer WHERE id > 5900",
    # The same index twice.
    "CREATE TABLE product (id int PRIMARY KEY, shelf int NOT NULL, name text NOT NULL)",
    "INSERT INTO product SELECT n, n % 300, 'product ' || n FROM generate_series(1, 20000) n",
    "CREATE INDEX product_shelf_idx ON product (shelf, name)",
    "CREATE INDEX product_shelf_again_idx ON product (shelf, name)",
    # Four fifths of its entries go, scattered, so that no page gets empty.
    "CREATE TABLE event (at timestamptz NOT NULL, kind text NOT NULL)",
    "INSERT INTO event SELECT '2026-01-01Z'::timestamptz + n * interval '1 minute', 'kind ' || n % 20"
    " FROM generate_series(1, 60000) n",
    "CREATE INDEX event_at_idx ON event (at)",
    "DELETE FROM event WHERE extract(minute FROM at)::int % 5 <> 0",
    # The leftovers of an interrupted rebuild.
    "CREATE TABLE visit (id int PRIMARY KEY, page text NOT NULL)",
    "INSERT INTO visit SELECT n, 'page ' || n % 50 FROM generate_series(1, 20000) n",
    "CREATE INDEX visit_page_idx ON visit (page)",
    # Otherwise the counters of this session would arrive after those that VACUUM and ANALYZE set.
    "SELECT pg_stat_force_next_flush()",
    "VACUUM (ANALYZE) orders, product, event, visit",
    "VACUUM customer",
)


class TeamDatabase:
    """A database that runs between entering and leaving; `connect` gives a session of the team."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self._stack = contextlib.ExitStack()
        self._running: PostgresServer | None = None

    @property
    def server(self) -> PostgresServer:
        """Return the running server; raise RuntimeError before it runs."""
        if self._running is None:
            raise RuntimeError("the team's database is not running")
        return self._running

    def __enter__(self) -> Self:
        self._running = self._stack.enter_context(postgresql.start_wheel_16())
        with self.server.session() as session:
            for statement in _SCHEMA:
                session.run(statement)
        self._interrupt_a_rebuild(self.server)
        self._account.session.client("secretsmanager").create_secret(
            Name=_SECRET,
            SecretString=json.dumps({"username": SUPERUSER, "password": PASSWORD, "host": "127.0.0.1"}),
            Tags=[{"Key": "optimizer", "Value": "on"}],
        )
        self._put_metrics(datetime.now(UTC))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def policy(self, *, ask: bool) -> dict[str, Any]:
        """Return the part of a policy for this database, with small limits because its tables are small.

        Changes that need a person are approval requests with `ask`, and otherwise only recommended.
        """
        secret = self._account.session.client("secretsmanager").describe_secret(SecretId=_SECRET)["ARN"]
        person = "ask" if ask else "recommend"
        kinds = ("rebuild_special", "drop_duplicate", "drop_redundant", "drop_unused", "create", "optimize")
        return {
            "databases": [
                {
                    "name": NAME,
                    "engine": "postgresql",
                    "host": "127.0.0.1",
                    "port": self.server.port,
                    "database": "postgres",
                    "secret_arn": secret,
                    "tls": "off",
                    "rds_instance": NAME,
                    # There are as many execution environments as simultaneous changes, each working on one.
                    "max_connections": 16,
                }
            ],
            "actions": {"vacuum": "automatic", "drop_leftover": "automatic", **dict.fromkeys(kinds, person)},
            "min_bloat_mb": 0,
            "rebuild_after_runs": 1,
            "watch_minutes": [60, 240],
            "hidden_days": 0.1,
        }

    def indexes(self) -> dict[str, int]:
        """Return the size in bytes of every valid index of the team; -1 for an invalid one."""
        with self.server.session() as session:
            rows: Sequence[Any] = session.run(
                "SELECT i.relname, CASE WHEN x.indisvalid THEN pg_relation_size(i.oid) ELSE -1 END FROM pg_index x"
                " JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace"
                " WHERE n.nspname = 'public' ORDER BY 1"
            )
        return {name: int(size) for name, size in rows}

    def _put_metrics(self, now: datetime) -> None:
        """Put the metrics that RDS would publish for a quiet machine with free capacity."""
        cloudwatch = self._account.session.client("cloudwatch")
        times = [now + number * _METRICS_EVERY for number in range(-1, _METRICS_FOR // _METRICS_EVERY)]
        for metric, (value, unit) in _METRICS.items():
            of = {"MetricName": metric, "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": NAME}], "Unit": unit}
            data = [{**of, "Timestamp": time, "Value": value} for time in times]
            cloudwatch.put_metric_data(Namespace="AWS/RDS", MetricData=data)

    @staticmethod
    def _interrupt_a_rebuild(server: PostgresServer) -> None:
        with server.session() as other, server.session() as session:
            other.run("BEGIN")
            other.run("UPDATE visit SET page = page WHERE id = 1")
            session.run("SET lock_timeout = 100")
            with contextlib.suppress(DatabaseError):
                session.run("REINDEX INDEX CONCURRENTLY visit_page_idx")
            other.run("ROLLBACK")
