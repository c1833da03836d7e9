"""Which managed runtimes can do what. Pure.

Sources: AWS Lambda Developer Guide, "Improving startup performance with Lambda SnapStart" (Java 11, Python 3.12, .NET 8
and later) and "AWS Lambda Functions Powered by AWS Graviton2 Processor" of 2021-09-29 (Node.js 12, Python 3.8, Java 8
on Amazon Linux 2, Java 11, .NET Core 3.1, Ruby 2.7, custom runtimes on Amazon Linux 2, and later ones).
"""

import re

_NAME = re.compile(r"(nodejs|python|java|dotnetcore|dotnet|ruby)(\d+)(?:\.(\d+))?")
_SNAP_START = {"java": (11, 0), "python": (3, 12), "dotnet": (8, 0)}
_ARM64 = {"nodejs": (12, 0), "python": (3, 8), "java": (11, 0), "dotnetcore": (3, 1), "dotnet": (5, 0), "ruby": (2, 7)}
# AWS takes no price for SnapStart of Java.
FREE_OF_CHARGE = "java"


def supports_snap_start(runtime: str) -> bool:
    """Return True if functions of a managed runtime can have SnapStart."""
    return _reaches(runtime, _SNAP_START)


def supports_arm64(runtime: str) -> bool:
    """Return True if a managed runtime exists for arm64; False for one that is not known."""
    return runtime == "java8.al2" or runtime.startswith("provided.al2") or _reaches(runtime, _ARM64)


def _reaches(runtime: str, least: dict[str, tuple[int, int]]) -> bool:
    found = _NAME.match(runtime)
    if found is None or found[1] not in least:
        return False
    return (int(found[2]), int(found[3] or 0)) >= least[found[1]]
