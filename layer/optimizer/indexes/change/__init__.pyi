from optimizer.indexes.change.change import IndexHooks as IndexHooks
from optimizer.indexes.change.host_metrics import read_machine as read_machine
from optimizer.indexes.change.progress import IndexProgress as IndexProgress
from optimizer.indexes.change.select import server_for as server_for
