from optimizer.indexes.connect.data_api import DataApiConnection as DataApiConnection, StillRunning as StillRunning
from optimizer.indexes.connect.drivers import (
    AccessDenied as AccessDenied,
    Connection as Connection,
    DatabaseUnreachable as DatabaseUnreachable,
    LoginRefused as LoginRefused,
    close as close,
    connect as connect,
)
from optimizer.indexes.connect.login import (
    Address as Address,
    Login as Login,
)
from optimizer.indexes.connect.pool import from_environment as from_environment
from optimizer.indexes.connect.slots import TooManyConnections as TooManyConnections
