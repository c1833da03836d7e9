"""Makes an assessment: lists in bulk, then looks at functions in detail, those that cost most first."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from optimizer.assess import budget, listing
from optimizer.assess.details import PatientLogs, Reader
from optimizer.assess.facts import OVERVIEW_DAYS, FunctionDetails, ListedFunction
from optimizer.assess.judge import judge, listed_row, policy_of
from optimizer.assess.model import Assessment, FunctionRow, Spent
from optimizer.assess.read_only import ReadOnlySession
from optimizer.assess.servers import read_servers
from optimizer.assess.state import AssessmentState, StateFile, add_spent
from optimizer.core import canonical_json, plain
from optimizer.policy import Policy, log_scan_mb
from optimizer.prices import aws_lambda, services, shipped_prices

BATCH = 20
# Batches that are read at the same time.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class _Reading:
    """A batch that is being read, and the MB of logs that it may take."""

    batch: Sequence[ListedFunction]
    asked: Mapping[str, int]
    details: Future[list[FunctionDetails]]


class Assessor:
    """One assessment. folder: where its state is kept. max_usd: the most that its calls may cost, None: the default."""

    def __init__(
        self, session: ReadOnlySession, policy: Policy, folder: Path, now: datetime, max_usd: float | None = None
    ) -> None:
        self._session, self._policy, self._now, self._max_usd = session, policy_of(policy), now, max_usd
        # The list of AWS is read by the application alone, which is deployed later.
        self._prices = shipped_prices().discounted(policy.prices.lambda_discount)
        self._digest = canonical_json.sha256(policy)
        account = listing.account_of(session)
        self._state = AssessmentState(account, session.region, now, self._digest)
        self._file = StateFile(folder / f"assess-{account}-{session.region}.jsonl")
        self._counted: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._metrics = 0

    @property
    def state_path(self) -> Path:
        """The file from which a stopped assessment goes on."""
        return self._file.path

    def resume(self) -> bool:
        """Go on from an assessment that was stopped; return False if there is none."""
        found = self._file.read(self._state.account, self._state.region, self._digest, self._now)
        if found is None or not self._names_left(found):
            return False
        self._state = found
        for right in found.rights.values():
            self._session.note_right(right)
        return True

    def list_all(self) -> None:
        """List functions, databases and caches, with their tags and daily metrics."""
        self._file.begin(self._state)
        session, state = self._session, self._state
        tags = listing.read_tags(session)
        listed = [one.tagged(tags.get(one.arn, {})) for one in listing.list_functions(session)]
        state.functions = listing.add_calls(session, listed, self._now)
        state.scaled = listing.scaled_aliases(session)
        state.servers = read_servers(session, tags, self._now)
        self._file.append("listed", functions=state.functions, servers=state.servers, scaled=state.scaled)
        self._spend(0.0)

    @property
    def estimate(self) -> budget.Estimate:
        """The estimated cost of the calls."""
        return budget.estimate(len(self._state.functions), len(self._called()), self._most_usd(self._state))

    def _most_usd(self, state: AssessmentState) -> float:
        return budget.default_usd(len(state.functions)) if self._max_usd is None else self._max_usd

    @property
    def total(self) -> int:
        """The number of functions to look at in detail."""
        return len(self._called())

    @property
    def done(self) -> int:
        """The number of those that were looked at."""
        return len(self._state.rows)

    def look(self) -> Iterator[int]:
        """Look at the functions in detail; yield the number of those that are done after each batch."""
        left = [one for one in self._called() if one.name not in self._state.rows]
        if not left:
            return
        shared = self._shared_logs()
        worth = self._worth_reading() - shared
        logs = PatientLogs(self._session)
        if worth:
            logs.list_groups()
        reader = Reader(self._session, logs, self._state.scaled, self._policy.functions.alias, worth, shared, self._now)
        pool = ThreadPoolExecutor(_AT_ONCE)
        pending = deque(left[at : at + BATCH] for at in range(0, len(left), BATCH))
        reading: deque[_Reading] = deque()
        try:
            # The next batches are read while this one is judged, so that no quota lies idle.
            while pending or reading:
                while pending and len(reading) < _AT_ONCE:
                    asked = self._asked(pending[0], [one for batch in pending for one in batch], worth, reading)
                    batch = pending.popleft()
                    reading.append(_Reading(batch, asked, pool.submit(reader.read, batch, asked)))
                done = reading.popleft()
                self._judge(done.batch, done.details.result())
                yield self.done
        except BaseException:
            self._session.stop()
            # Calls for batches that are lost were paid, too.
            self._spend(0.0)
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _judge(self, batch: Sequence[ListedFunction], details: Sequence[FunctionDetails]) -> None:
        rows = [
            judge(one, found, self._policy, self._prices, self._now) for one, found in zip(batch, details, strict=True)
        ]
        self._state.rows |= {row.name: row for row in rows}
        self._file.append("rows", rows=rows)
        self._spend(sum(found.scanned_bytes for found in details))

    def _asked(
        self,
        batch: Sequence[ListedFunction],
        left: Sequence[ListedFunction],
        worth: set[str],
        reading: Iterable["_Reading"],
    ) -> dict[str, int]:
        """Return the MB of logs that each function of a batch may take; functions that get none are left out."""
        remaining = (
            self.estimate.log_bytes - self._state.log_bytes - sum(sum(one.asked.values()) for one in reading) * 1e6
        )
        waiting = sum(one.name in worth for one in left)
        asked: dict[str, int] = {}
        for one in batch:
            if one.name in worth:
                most = budget.scan_mb(remaining, waiting, log_scan_mb(self._policy.memory))
                remaining, waiting = remaining - most * 1e6, waiting - 1
                if most > 0:
                    asked[one.name] = most
        return asked

    def _worth_reading(self) -> set[str]:
        called = self._called()
        if any(one.bill_usd_month(self._prices) is None for one in called):
            return {one.name for one in called}
        return {
            one.name
            for one in called[: budget.worth_reading([one.bill_usd_month(self._prices) or 0.0 for one in called])]
        }

    def _shared_logs(self) -> set[str]:
        """Return the functions whose log group is also that of others: a query scans, and bills, the lines of all."""
        groups = Counter(one.log_group for one in self._state.functions)
        return {one.name for one in self._state.functions if groups[one.log_group] > 1}

    def _called(self, state: AssessmentState | None = None) -> list[ListedFunction]:
        """Return the functions to look at: those that are called, the most expensive first, as many as may be paid."""
        state = state or self._state
        called = [one for one in state.functions if one.calls_day != 0]
        called.sort(key=lambda one: (-(one.bill_usd_month(self._prices) or 0.0), one.name))
        return called[: budget.affordable(len(state.functions), self._most_usd(state))]

    def _names_left(self, state: AssessmentState) -> bool:
        return any(one.name not in state.rows for one in self._called(state))

    def _spend(self, log_bytes: float) -> None:
        calls, refused = Counter(self._session.calls), Counter(self._session.refused)
        metrics = self._session.metrics_asked
        spent = plain(
            {
                "calls": calls - self._counted,
                "refused": refused - self._refused,
                "metrics": metrics - self._metrics,
                "log_bytes": log_bytes,
                "rights": self._session.missing_rights,
            }
        )
        self._counted, self._refused, self._metrics = calls, refused, metrics
        add_spent(self._state, spent)
        self._file.append("spent", **spent)

    def _prices_used(self, state: AssessmentState) -> tuple[str, ...]:
        rates = {self._prices.of_function(one.arn, one.latest.architecture) for one in state.functions}
        return tuple(sorted({one.words for one in rates if one is not None}))

    def result(self) -> Assessment:
        """Return all that is known now."""
        state = self._state
        rows: list[FunctionRow] = [
            state.rows.get(one.name) or listed_row(one, self._policy, self._prices) for one in state.functions
        ]
        return Assessment(
            account=state.account,
            region=state.region,
            started_at=state.started_at,
            ended_at=datetime.now(UTC),
            functions=tuple(rows),
            servers=tuple(state.servers),
            missing_rights=tuple(state.rights[action] for action in sorted(state.rights)),
            spent=Spent(
                calls=dict(sorted(state.calls.items())),
                refused=dict(state.refused),
                metrics=state.metrics,
                log_bytes=state.log_bytes,
                usd=state.metrics * services.METRIC_USD + float(aws_lambda.log_scan_usd(state.log_bytes)),
            ),
            days=OVERVIEW_DAYS,
            is_complete=not self._names_left(state),
            prices=self._prices_used(state),
        )
