"""Versions of servers on which building an index can leave it wrong. Pure."""

from collections.abc import Sequence


def why_builds_are_faulty(version: Sequence[int]) -> str:
    """Return why PostgreSQL of this version must not build an index while the table is written to; empty if it may.

    version: major and minor. Source: PostgreSQL 14.4, release notes ("Prevent possible corruption of
    indexes created or rebuilt with the CONCURRENTLY option").
    """
    major, minor = version
    if major == 14 and minor < 4:
        return f"PostgreSQL 14.{minor} can leave indexes corrupt that it builds CONCURRENTLY; 14.4 mends that"
    return ""
