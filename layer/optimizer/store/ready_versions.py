"""Versions of functions that answer pings, and versions whose own code a ping ran.

Items `READY#<function_name>` / `VERSION#<version>`: `ready`, `why`, `at`. They never expire: a version does not change,
and one that ran its own code must not be asked again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from optimizer.aws import DynamoDBClient
from optimizer.store import table
from optimizer.store.table import ItemTable


@dataclass(frozen=True, slots=True)
class VersionReadiness:
    """The knowledge about one version. `why`: in words, how it became known."""

    version: str
    is_ready: bool
    why: str
    at: datetime

    @property
    def obstacle(self) -> str:
        """The sentence that says why the version gets no pings."""
        return (
            f"version {self.version} does not answer pings ({self.at:%Y-%m-%d %H:%M} UTC: {self.why}); decorate the "
            "handler and deploy it as a new version"
        )


class ReadyVersions:
    """The versions of which it is known if they answer pings."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)

    def read(self, function_name: str, version: str) -> VersionReadiness | None:
        """Return what is known of a version; None if nothing is."""
        item = self._table.get(*_key(function_name, version))
        if item is None:
            return None
        return VersionReadiness(version, bool(item["ready"]), str(item["why"]), datetime.fromisoformat(str(item["at"])))

    def record(self, function_name: str, known: VersionReadiness) -> None:
        """Record what became known of a version. That it ran its own code is never replaced."""
        pk, sk = _key(function_name, known.version)
        item: table.Item = {
            "pk": pk,
            "sk": sk,
            "ready": int(known.is_ready),
            "why": known.why,
            "at": known.at.astimezone(UTC).isoformat(),
        }
        self._table.write(table.put(item, "attribute_not_exists(pk)" if known.is_ready else ""))


def _key(function_name: str, version: str) -> tuple[str, str]:
    return f"READY#{function_name}", f"VERSION#{version}"
