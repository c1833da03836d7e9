"""Records for index changes: the change whose turn it is on a cluster, and the builds that were begun."""

from datetime import datetime, timedelta

from optimizer.aws import DynamoDBClient
from optimizer.core import canonical_json
from optimizer.store import table
from optimizer.store.table import Item, ItemTable

# A build is polled every few minutes; a holder of the turn that stops polling has died.
_LEASE = timedelta(hours=1)
# An older leftover of a build counts as foreign.
_REMEMBERED = timedelta(days=90)


class ActingRecords:
    """Turns and builds in the application's table."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)

    def take_turn(self, cluster: str, change_id: str, now: datetime) -> bool:
        """Take the turn on the cluster; return False while another change has it. The holder keeps it."""
        item: Item = {
            "pk": f"CLUSTER#{cluster}",
            "sk": "TURN",
            "change_id": change_id,
            "taken_at": now.isoformat(),
            "expires_at": table.timestamp(now + _LEASE),
        }
        free = "attribute_not_exists(pk) OR #expires_at <= :now OR #change_id = :change_id"
        return self._table.write(table.put(item, free, {"now": table.timestamp(now), "change_id": change_id}))

    def end_turn(self, cluster: str, change_id: str, now: datetime) -> None:
        """End the turn, so that the next change can take it."""
        ended: Item = {"expires_at": table.timestamp(now)}
        mine = "#change_id = :change_id"
        self._table.write(table.update(f"CLUSTER#{cluster}", "TURN", ended, mine, {"change_id": change_id}))

    def record_build(self, database: str, shape: str, table_oid: int, change_id: str, now: datetime) -> None:
        """Record a build before it begins, so that a leftover of it is known to be ours."""
        item: Item = {
            "pk": f"BUILDS#{database}",
            "sk": f"BUILD#{table_oid}#{canonical_json.sha256(shape)}",
            "change_id": change_id,
            "begun_at": now.isoformat(),
            "expires_at": table.timestamp(now + _REMEMBERED),
        }
        self._table.write(table.put(item))

    def began(self, database: str, shape: str, table_oid: int) -> bool:
        """Return True if this application began a build of an index of this shape on this table."""
        return self._table.get(f"BUILDS#{database}", f"BUILD#{table_oid}#{canonical_json.sha256(shape)}") is not None
