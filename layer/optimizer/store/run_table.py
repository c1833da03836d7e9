"""The records that the start of a run needs: runs and their lock, approval requests."""

from optimizer.aws import DynamoDBClient
from optimizer.store.approvals import ApprovalRecords
from optimizer.store.runs import RunRecords
from optimizer.store.table import ItemTable


class RunTable(RunRecords, ApprovalRecords):
    """The application's table without its changes."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)
