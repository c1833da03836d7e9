from optimizer.indexes.describe import phrase as phrase
from optimizer.indexes.detect import detect_findings as detect_findings
from optimizer.indexes.planner import Planner as Planner, find_database as find_database
from optimizer.indexes.propose import name_new_index as name_new_index
from optimizer.indexes.read_nodes import UnsupportedServer as UnsupportedServer
