"""The application's records in its table: runs and their lock, changes, cool-downs, approval requests.

Every write is conditional and may be repeated, so that a Lambda that died at any line, or ran twice, is run again.
All times are timezone-aware; the caller passes `now`. docs/architecture.md lists the keys.
"""

from optimizer.aws import DynamoDBClient
from optimizer.store.approvals import ApprovalRecords
from optimizer.store.changes import ChangeRecords
from optimizer.store.runs import RunRecords
from optimizer.store.table import ItemTable


class RunStore(RunRecords, ChangeRecords, ApprovalRecords):
    """The application's table."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)
        self._progress_read: dict[str, str | int | None] = {}
