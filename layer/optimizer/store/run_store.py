"""The application's records in its table: runs and their lock, changes, cool-downs, approval requests.

Every write is conditional and may be repeated, so that a Lambda that died at any line, or ran twice, is run again.
All times are timezone-aware; the caller passes `now`. docs/architecture.md lists the keys.
"""

from optimizer.aws import DynamoDBClient
from optimizer.store.changes import ChangeRecords
from optimizer.store.run_table import RunTable


class RunStore(RunTable, ChangeRecords):
    """The application's table."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        super().__init__(dynamodb, table_name)
        self._progress_read: dict[str, str | int | None] = {}
