from optimizer.function_logs.code_history import CodeHistory as CodeHistory, history_of_code as history_of_code
from optimizer.function_logs.coverage import (
    WEEK_HOURS as WEEK_HOURS,
    hour_of as hour_of,
    start_of as start_of,
    unread_hours as unread_hours,
    window_to_read as window_to_read,
)
from optimizer.function_logs.history import (
    FunctionHistory as FunctionHistory,
    LoggedHour as LoggedHour,
    SizeHistory as SizeHistory,
)
from optimizer.function_logs.hours import LeftOut as LeftOut, hours_of as hours_of
from optimizer.function_logs.keep_alive import LONGEST_MINUTES as LONGEST_MINUTES, IdleTrials as IdleTrials
from optimizer.function_logs.log_queries import LogsUnreadable as LogsUnreadable
from optimizer.function_logs.log_source import LATE_LINES as LATE_LINES, LogSource as LogSource
from optimizer.function_logs.parse import (
    LoggedReport as LoggedReport,
    ReportLine as ReportLine,
    Reports as Reports,
    parse_rows as parse_rows,
)
from optimizer.function_logs.read import ReportLog as ReportLog
from optimizer.function_logs.scans import HourlyScan as HourlyScan, Scan as Scan
from optimizer.function_logs.used_memory import (
    UsedMemory as UsedMemory,
    memory_shortage as memory_shortage,
    read_used_memory as read_used_memory,
)
