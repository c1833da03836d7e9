"""Read and parse the REPORT lines of Lambda functions, and learn from them about memory and idle environments."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "code_history": (
            "CodeHistory",
            "history_of_code",
        ),
        "coverage": (
            "WEEK_HOURS",
            "hour_of",
            "start_of",
            "unread_hours",
            "window_to_read",
        ),
        "history": (
            "FunctionHistory",
            "LoggedHour",
            "SizeHistory",
        ),
        "hours": (
            "LeftOut",
            "hours_of",
        ),
        "keep_alive": (
            "IdleTrials",
            "LONGEST_MINUTES",
        ),
        "log_queries": ("LogsUnreadable",),
        "log_source": (
            "LATE_LINES",
            "LogSource",
        ),
        "parse": (
            "LoggedReport",
            "ReportLine",
            "Reports",
            "parse_rows",
        ),
        "read": ("ReportLog",),
        "scans": (
            "HourlyScan",
            "Scan",
        ),
        "used_memory": (
            "UsedMemory",
            "memory_shortage",
            "read_used_memory",
        ),
    },
)
