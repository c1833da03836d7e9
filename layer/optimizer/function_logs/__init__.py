"""Read and parse the REPORT lines of Lambda functions, and learn from them about memory and idle environments."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "code_history": (
            "CodeHistory",
            "history_of_code",
        ),
        "history": (
            "FunctionHistory",
            "SizeHistory",
        ),
        "keep_alive": (
            "IdleTrials",
            "LONGEST_MINUTES",
        ),
        "parse": (
            "LogSource",
            "LoggedReport",
            "ReportLine",
            "Reports",
        ),
        "read": (
            "LogsUnreadable",
            "ReportLog",
            "Scan",
            "UsedMemory",
            "memory_shortage",
            "read_used_memory",
        ),
    },
)
