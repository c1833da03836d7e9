"""Where the TTLs are published: an SSM parameter. Reads and writes, decides nothing but who was first."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from optimizer.caches.publish.document import NOTHING, Ttls, parse

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

# From here on a parameter costs a little, every month.
_STANDARD_BYTES = 4096


class PublishOutcome(StrEnum):
    """What became of a document: it is in force, it is on its way, or somebody else's is in force and stays."""

    DONE = "done"
    PENDING = "pending"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is in force: the document, and the number that its place gave it (0: there is none)."""

    ttls: Ttls
    revision: int
    text: str


class TtlPublisher(Protocol):
    """A place where TTLs are published."""

    def read(self) -> Reading:
        """What is in force. Raises UnusableDocument."""

    def publish(self, text: str, after_revision: int) -> PublishOutcome:
        """Put the document in force, if what is in force still is that revision. The same again is harmless."""

    def take_back(self, text: str, of_revision: int) -> PublishOutcome:
        """Let what that revision replaced be in force again: as it was, or by publishing `text`."""

    def most_ttl_s(self) -> float:
        """The longest TTL that may be brought this way."""


class SsmParameter:
    """An SSM parameter. It knows no conditional write: who wrote between our look and our write shows in the number
    that the write gets, and is then put back."""

    def __init__(self, ssm: "SSMClient", name: str) -> None:
        self._ssm = ssm
        self._name = name

    def read(self) -> Reading:
        """What is in force. Raises UnusableDocument."""
        text, revision = self._get(self._name)
        return Reading(parse(text) if revision else NOTHING, revision, text)

    def publish(self, text: str, after_revision: int) -> PublishOutcome:
        """See Delivery. Ends in the old document, ours or somebody else's, wherever it is interrupted and repeated."""
        live, revision = self._get(self._name)
        if revision != after_revision and live != text:
            return PublishOutcome.LOST
        if live != text:
            written = self._put(text, overwrite=after_revision > 0)
            if written is None:
                return PublishOutcome.LOST
            revision = written
        between = [self._get(f"{self._name}:{number}")[0] for number in range(after_revision + 1, revision)]
        theirs = [other for other in between if other != text]
        if not theirs:
            return PublishOutcome.DONE
        self._put(theirs[-1], overwrite=True)
        return PublishOutcome.LOST

    def take_back(self, text: str, of_revision: int) -> PublishOutcome:
        """See Delivery: a parameter knows no way back, so that the former TTLs are published as a newer version."""
        return self.publish(text, of_revision)

    def most_ttl_s(self) -> float:
        """Any: the watch of the change is as long as it takes."""
        return float("inf")

    def _get(self, name: str) -> tuple[str, int]:
        try:
            found = self._ssm.get_parameter(Name=name)["Parameter"]
        except self._ssm.exceptions.ParameterNotFound:
            return "", 0
        return found["Value"], found["Version"]

    def _put(self, text: str, *, overwrite: bool) -> int | None:
        """The number that the write got; None where somebody else made the parameter first."""
        tier = "Advanced" if len(text.encode()) > _STANDARD_BYTES else "Standard"
        try:
            if overwrite:
                # Without a tier it keeps the one it has: an advanced parameter cannot become a standard one.
                options = {"Tier": tier} if tier == "Advanced" else {}
                return self._ssm.put_parameter(Name=self._name, Value=text, Overwrite=True, **options)["Version"]  # type: ignore[arg-type]
            return self._ssm.put_parameter(Name=self._name, Value=text, Type="String", Tier=tier)["Version"]  # type: ignore[arg-type]
        except self._ssm.exceptions.ParameterAlreadyExists:
            return None
