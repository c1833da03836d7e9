"""Read the TTLs that are published from outside, check and bound them, and keep the last good ones.

The document, in SSM Parameter Store or AppConfig:

    {"version": 7, "ttl_s": {"price": 120, "stock": 15}, "previous": {"version": 6, "ttl_s": {...}}}

`previous` is for people and for rolling a change back; this library does not read it.
"""

import functools
import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

Fetch = Callable[[], "str | bytes | None"]
# While the TTLs cannot be read, this many times the usual interval is the longest.
_SELDOMEST = 10.0


class ParameterUnavailable(Exception):
    """The published TTLs could not be read; the last good ones stay in force."""


class UnusableParameter(ValueError):
    """The published text is not a TTL document."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The TTL of a namespace until one is published, and the bounds of every TTL, as its team compiled them in."""

    ttl_s: float
    min_ttl_s: float
    max_ttl_s: float

    def __post_init__(self) -> None:
        if not 0 < self.min_ttl_s <= self.ttl_s <= self.max_ttl_s < math.inf:
            raise ValueError(
                "0 < min_ttl_s <= ttl_s <= max_ttl_s < infinity must hold, "
                f"not {self.min_ttl_s}, {self.ttl_s} and {self.max_ttl_s}"
            )


@dataclass(frozen=True, slots=True)
class Ttls:
    """One version of all TTLs, within their bounds. Version 0 holds those compiled in."""

    version: int
    ttl_s: Mapping[str, float]


def parse(document: "str | bytes", bounds: Mapping[str, Bounds]) -> Ttls:
    """Return the TTLs of the known namespaces, each brought within its bounds.

    A namespace that the document does not name keeps its compiled-in TTL. Raises UnusableParameter for anything but a
    TTL document.
    """
    try:
        read = json.loads(document)
    except ValueError as error:
        raise UnusableParameter(f"the document is not JSON: {error}") from error
    if not isinstance(read, dict) or not isinstance(read.get("ttl_s"), dict):
        raise UnusableParameter("ttl_s must be an object of namespaces and seconds")
    version = read.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UnusableParameter(f"version must be a whole number above 0, not {version!r}")
    return Ttls(version, {name: _bounded(name, read["ttl_s"].get(name), limit) for name, limit in bounds.items()})


def _bounded(name: str, ttl_s: Any, limit: Bounds) -> float:
    if ttl_s is None:
        return limit.ttl_s
    if not isinstance(ttl_s, (int, float)) or isinstance(ttl_s, bool) or not math.isfinite(ttl_s):
        raise UnusableParameter(f"ttl_s.{name} must be a number of seconds, not {ttl_s!r}")
    return min(limit.max_ttl_s, max(limit.min_ttl_s, float(ttl_s)))


class _Reading(threading.Thread):
    """One attempt to read the TTLs, and whether it succeeded."""

    def __init__(self, read: Callable[[Fetch], bool], fetch: Fetch) -> None:
        super().__init__(name="optimizer-cache-ttls", daemon=True)
        self.succeeded = False
        self._attempt: Callable[[], bool] = functools.partial(read, fetch)

    def run(self) -> None:
        """Read the TTLs."""
        self.succeeded = self._attempt()


class TtlParameter:
    """Holds the TTLs in force.

    They are read again at most once in `poll_s`, plus up to a tenth so that environments spread, and up to
    `_SELDOMEST` times more seldom while they cannot be read. A thread of its own reads them, so that no call of the
    application waits: a service that does not answer would hold it for minutes. A function that is frozen between
    calls goes on reading in its next one.
    """

    def __init__(
        self,
        bounds: Mapping[str, Bounds],
        fetch: Fetch | None = None,
        *,
        poll_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` returns the document, or None if it has not changed. Whatever it raises is counted."""
        self.bounds = dict(bounds)
        self.current = Ttls(0, {name: limit.ttl_s for name, limit in self.bounds.items()})
        self.failures = 0
        self._failures_in_a_row = 0
        self._fetch = fetch
        self._poll_s = poll_s
        self._clock = clock
        self._next = 0.0 if fetch is not None else math.inf
        self._reading: _Reading | None = None
        self._starting = threading.Lock()

    def ttls(self) -> Ttls:
        """Return the TTLs in force, and begin to read them again if it is time."""
        if self._clock() >= self._next:
            self._begin()
        return self.current

    def read(self, wait_s: float) -> bool:
        """Read the TTLs now, and wait up to `wait_s` for them. Return True if they were read."""
        reading = self._begin()
        if reading is None:
            return False
        reading.join(wait_s)
        return reading.succeeded

    def is_reading(self) -> bool:
        """Return True while the TTLs are being read."""
        return self._reading is not None and self._reading.is_alive()

    def begin_in_child(self) -> None:
        """Begin anew in a forked process, which has no thread that reads."""
        self._starting = threading.Lock()
        self._reading = None

    def _begin(self) -> _Reading | None:
        """Return the thread that reads the TTLs, started if there is none."""
        if self._fetch is None:
            return None
        with self._starting:
            if self._reading is not None and self._reading.is_alive():
                return self._reading
            self._wait_for_next()
            reading = _Reading(self._read, self._fetch)
            try:
                reading.start()
            except RuntimeError as error:
                # No thread can be started at the end of a process, or with too many of them.
                self._failed(error)
                return None
            self._reading = reading
            return reading

    def _wait_for_next(self) -> None:
        seldom = min(_SELDOMEST, 2.0**self._failures_in_a_row)
        self._next = self._clock() + self._poll_s * seldom * random.uniform(1.0, 1.1)  # noqa: S311 - spreads load

    def _read(self, fetch: Fetch) -> bool:
        try:
            document = fetch()
            if document:
                self.current = parse(document, self.bounds)
        except Exception as error:  # noqa: BLE001 - a team's own `fetch` may raise anything
            self._failed(error)
            return False
        self._failures_in_a_row = 0
        return True

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._failures_in_a_row += 1
        self._wait_for_next()
        logger.warning("the TTLs of version %d stay in force: %s", self.current.version, error)


def from_ssm(client: Any, name: str) -> Fetch:
    """Return a fetch of an SSM parameter with a boto3 client. It needs ssm:GetParameter."""

    def fetch() -> str:
        # A caller with a boto3 client has botocore, so the package does not depend on it.
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return str(client.get_parameter(Name=name)["Parameter"]["Value"])
        except (BotoCoreError, ClientError) as error:
            raise ParameterUnavailable(f"{name}: {error}") from error

    return fetch


def from_appconfig(client: Any, application: str, environment: str, profile: str) -> Fetch:
    """Return a fetch of an AppConfig profile with a boto3 `appconfigdata` client.

    It needs appconfig:StartConfigurationSession and appconfig:GetLatestConfiguration. TtlParameter polls no more often
    than AppConfig allows.
    """
    session: dict[str, str] = {}

    def fetch() -> "bytes | None":
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if not session:
                session["token"] = client.start_configuration_session(
                    ApplicationIdentifier=application,
                    EnvironmentIdentifier=environment,
                    ConfigurationProfileIdentifier=profile,
                )["InitialConfigurationToken"]
            answer = client.get_latest_configuration(ConfigurationToken=session.pop("token"))
            session["token"] = answer["NextPollConfigurationToken"]
            # An empty answer means that the document has not changed since the last one.
            return bytes(answer["Configuration"].read()) or None
        except (BotoCoreError, ClientError) as error:
            # A token can be used once and lives for a day, so the next read begins a new session.
            session.clear()
            raise ParameterUnavailable(f"{application}/{environment}/{profile}: {error}") from error

    return fetch
