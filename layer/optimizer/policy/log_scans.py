"""The log data that a run may read of one function. Pure."""

from optimizer.policy.model import Memory

_USUAL_MB = 200


def log_scan_mb(limits: Memory) -> int:
    """Return the log data that a run reads of a function of which all is known, in MB."""
    return _USUAL_MB if limits.max_log_scan_mb is None else limits.max_log_scan_mb
