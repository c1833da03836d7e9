from optimizer.function_logs.code_history import CodeHistory as CodeHistory, history_of_code as history_of_code
from optimizer.function_logs.history import FunctionHistory as FunctionHistory, SizeHistory as SizeHistory
from optimizer.function_logs.keep_alive import LONGEST_MINUTES as LONGEST_MINUTES, IdleTrials as IdleTrials
from optimizer.function_logs.parse import (
    LoggedReport as LoggedReport,
    LogSource as LogSource,
    ReportLine as ReportLine,
    Reports as Reports,
)
from optimizer.function_logs.read import (
    LogsUnreadable as LogsUnreadable,
    ReportLog as ReportLog,
    Scan as Scan,
    UsedMemory as UsedMemory,
    memory_shortage as memory_shortage,
    read_used_memory as read_used_memory,
)
