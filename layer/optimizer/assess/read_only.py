"""Clients that can only read: every call is checked against the list of reads, paced, and counted."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.utils import parse_timestamp

from optimizer.assess.reads import POINTS_QUOTA, READS, SHARE, MissingRight, allowed, calls_a_second
from optimizer.aws import CallBudget, keep_unknown_fields
from optimizer.core import OptimizerError

# Words of the codes with which services deny a call.
_DENIED = ("AccessDenied", "UnauthorizedOperation", "NotAuthorized", "AuthorizationError")
_THROTTLED = ("Throttl", "TooManyRequests", "LimitExceeded", "RequestLimitExceeded", "SlowDown")
# Codes of credentials that are no longer valid, or never were.
_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
    | {"SignatureDoesNotMatch", "RequestExpired"}
)
# A right may hold for some resources only; after so many denials in a row nothing more is asked with it.
_DENIALS_IN_A_ROW = 3


class Stopped(OptimizerError, RuntimeError):
    """The assessment was stopped from outside; no further call is sent."""


class ReadOnlySession:
    """An AWS session for an assessment, its log of calls, and the rights that turned out to be missing."""

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        self._session = botocore.session.Session(profile=profile)
        if region:
            self._session.set_config_variable("region", region)
        self.calls: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.metrics_asked = 0
        self._clients: dict[str, Any] = {}
        self._denied: dict[str, MissingRight] = {}
        self._in_a_row: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._paces = {read.quota: self._pace(calls_a_second(read.quota)) for read in READS.values()}
        self._points = self._pace(POINTS_QUOTA * SHARE)
        self._session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        events = self._session.get_component("event_emitter")
        events.register("provide-client-params", self._check)
        events.register("before-send", self._turn)
        events.register("needs-retry", self._answered)

    def stop(self) -> None:
        """Let every further call fail, so that threads end soon."""
        self._stop.set()

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until `stop`."""
        if self._stop.wait(seconds):
            raise Stopped("the assessment was stopped")

    def _pace(self, a_second: float) -> CallBudget:
        return CallBudget(a_second, sleep=self.pause)

    @property
    def region(self) -> str:
        """The Region that is read; empty if none is configured."""
        return str(self._session.get_config_variable("region") or "")

    @property
    def missing_rights(self) -> tuple[MissingRight, ...]:
        """The rights that were denied, by action."""
        return tuple(right for _, right in sorted(self._denied.items()))

    def client(self, service: str) -> Any:
        """Return the client of a service by its boto3 name; all threads share it."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": 8},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=16,
        )
        client: Any = self._session.create_client(service, config=config)
        if service == "lambda":
            keep_unknown_fields(client)
        return client

    def tried[Result](self, service: str, operation: str, read: Callable[[], Result]) -> Result | None:
        """Return the result of the read, or None if its right is missing, which is noted."""
        action = READS[service, operation].action
        if self._in_a_row[action] >= _DENIALS_IN_A_ROW:
            return None
        try:
            result = read()
        except ClientError as error:
            if not self.note(service, operation, error) and not self._note_other(service, operation, error):
                raise
            return None
        except EndpointConnectionError as error:
            # The service does not exist in every Region.
            self._note(service, operation, str(error))
            return None
        self._in_a_row[action] = 0
        return result

    def note(self, service: str, operation: str, error: ClientError) -> bool:
        """Note a missing right; return False if the error is another one."""
        if not is_denied(error):
            return False
        self._note(service, operation, str(error.response["Error"].get("Message", "")))
        return True

    def _note_other(self, service: str, operation: str, error: ClientError) -> bool:
        """Note a read that failed for another reason; return False if all others would fail, too."""
        code = str(error.response["Error"].get("Code", ""))
        if code in _CREDENTIALS:
            return False
        self._note(service, operation, code)
        return True

    def _note(self, service: str, operation: str, message: str) -> None:
        read = READS[service, operation]
        with self._lock:
            self._in_a_row[read.action] += 1
            self._denied.setdefault(read.action, MissingRight(read.action, read.without, message))

    def note_right(self, right: MissingRight) -> None:
        """Note a right that an earlier part of the assessment lacked."""
        self._denied.setdefault(right.action, right)

    def _check(self, params: Mapping[str, Any], model: Any, **_: object) -> None:
        if self._stop.is_set():
            raise Stopped("the assessment was stopped")
        service = model.service_model.service_name
        allowed(service, model.name)
        with self._lock:
            self.calls[f"{service}.{model.name}"] += 1
        if model.name == "GetMetricData":
            queries = params["MetricDataQueries"]
            with self._lock:
                self.metrics_asked += len(queries)
            seconds = (params["EndTime"] - params["StartTime"]).total_seconds()
            self._points.take(sum(seconds / query["MetricStat"]["Period"] for query in queries))

    def _turn(self, event_name: str, **_: object) -> None:
        # before-send.SERVICE.OPERATION; the service has another spelling here, so the operation decides.
        operation = event_name.rpartition(".")[2]
        quota = next((read.quota for (_, name), read in READS.items() if name == operation), "list")
        self._paces[quota].take()

    def _answered(self, response: Any, event_name: str, **_: object) -> None:
        if response is None:
            return
        code = str(response[1].get("Error", {}).get("Code", ""))
        if response[0].status_code == 429 or any(word in code for word in _THROTTLED):
            with self._lock:
                self.refused[f"{event_name.partition('.')[2]}: {code}"] += 1


def _moment(value: Any) -> datetime:
    """Return a time of an answer. A history has 20,000 of them; botocore takes its time for local time zones."""
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    found: datetime = parse_timestamp(value)
    return found


def is_denied(error: ClientError) -> bool:
    """Return True if the credentials lack a right."""
    return any(word in str(error.response["Error"].get("Code", "")) for word in _DENIED)
