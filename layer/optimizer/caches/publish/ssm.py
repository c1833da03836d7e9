"""Publish TTLs in an SSM parameter."""

from optimizer.aws import SSMClient
from optimizer.caches.publish.document import NOTHING, PublishedTtls, PublishOutcome, parse

# A larger value needs an advanced parameter, which costs a little every month.
_STANDARD_BYTES = 4096


class SsmParameter:
    """Publishes in an SSM parameter.

    SSM has no conditional write. A write by somebody else between our read and our write shows in the version number
    that our write gets; their value is then restored.
    """

    def __init__(self, ssm: "SSMClient", name: str) -> None:
        self._ssm = ssm
        self._name = name

    def read(self) -> PublishedTtls:
        """Return the TTLs in force. Raises UnusableDocument."""
        text, revision = self._get(self._name)
        return PublishedTtls(parse(text) if revision else NOTHING, revision, text)

    def publish(self, text: str, after_revision: int) -> PublishOutcome:
        """See TtlPublisher. An interrupted call that is repeated ends in the old document, ours or somebody else's."""
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

    def roll_back(self, text: str, revision: int) -> PublishOutcome:
        """Publish the former TTLs as a newer version: a parameter has no way back."""
        return self.publish(text, revision)

    def most_ttl_s(self) -> float:
        """Return infinity: the observation of a change lasts as long as its TTLs need."""
        return float("inf")

    def _get(self, name: str) -> tuple[str, int]:
        try:
            found = self._ssm.get_parameter(Name=name)["Parameter"]
        except self._ssm.exceptions.ParameterNotFound:
            return "", 0
        return found["Value"], found["Version"]

    def _put(self, text: str, *, overwrite: bool) -> int | None:
        """Return the version that the write got; None if somebody else created the parameter first."""
        tier = "Advanced" if len(text.encode()) > _STANDARD_BYTES else "Standard"
        try:
            if overwrite:
                # Without a tier the parameter keeps its own: an advanced one cannot become a standard one.
                options = {"Tier": tier} if tier == "Advanced" else {}
                return self._ssm.put_parameter(Name=self._name, Value=text, Overwrite=True, **options)["Version"]  # type: ignore[arg-type]
            return self._ssm.put_parameter(Name=self._name, Value=text, Type="String", Tier=tier)["Version"]  # type: ignore[arg-type]
        except self._ssm.exceptions.ParameterAlreadyExists:
            return None
