"""Learning INIT times and the life of idle environments from REPORT lines."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from optimizer.core import canonical_json
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.keep_alive import IdleTrials, idle_trials
from optimizer.function_logs.parse import LoggedReport, ReportLine
from optimizer.traffic.forecast import Lives
from optimizer.warmups.init_times import KeepAlive, LearntFacts, keep_alive, learn_from_reports, learn_lives

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def call(at_minute: float, environment: str, init_ms: float | None = None, **different: object) -> LoggedReport:
    """Return a call without duration that began in this minute."""
    values = {"memory_mb": 512, "version": "7"} | different
    ended = NOW + timedelta(minutes=at_minute, milliseconds=init_ms or 0)
    report = ReportLine("1", 0.0, 1.0, int(str(values["memory_mb"])), 100, init_ms=init_ms)
    return LoggedReport(ended, str(values["version"]), report, environment)


def test_environment_called_again_without_init_survived() -> None:
    trials = idle_trials([call(0, "a", 100.0), call(7.5, "a"), call(7.8, "a")])
    assert trials == IdleTrials({7: 1}, {})


def test_idle_environment_that_a_cold_start_skips_had_died() -> None:
    """An environment that was idle at a cold start and never ran again had died by then."""
    trials = idle_trials([call(0, "a", 100.0), call(12.5, "b", 100.0)])
    assert trials == IdleTrials({}, {13: 1})


def test_cold_start_beside_a_busy_environment_is_no_trial() -> None:
    busy = LoggedReport(
        NOW + timedelta(minutes=3), "7", ReportLine("1", 180_000.0, 180_000.0, 512, 100, init_ms=0.0), "a"
    )
    assert idle_trials([busy, call(1, "b", 100.0)]) == IdleTrials({}, {})


@pytest.mark.parametrize("different", [{"version": "8"}, {"memory_mb": 1024}])
def test_cold_start_of_another_version_or_size_is_no_trial(different: dict[str, object]) -> None:
    assert idle_trials([call(0, "a", 100.0), call(12, "b", 100.0, **different)]) == IdleTrials({}, {})


def test_environment_without_a_logged_init_does_not_count() -> None:
    assert idle_trials([call(0, "provisioned"), call(40, "provisioned"), call(41, "")]) == IdleTrials({}, {})


@pytest.mark.parametrize(
    ("survived", "died", "minutes", "learnt"),
    [
        ({}, {}, 10, False),
        ({30: 9}, {}, 10, False),
        ({30: 10}, {}, 30, True),
        ({2: 500}, {}, 10, False),
        ({5: 50}, {7: 20}, 6, True),
        ({5: 50}, {30: 20}, 10, False),
        ({1: 1000}, {60: 50}, 10, False),
        ({20: 100}, {20: 5}, 20, True),
        ({20: 80}, {20: 20}, 10, False),
        ({8: 80}, {8: 20}, 7, True),
        ({}, {1: 30}, 1, True),
        ({60: 40}, {}, 60, True),
    ],
)
def test_lines_override_the_policy_only_outside_their_bounds(
    survived: dict[int, int], died: dict[int, int], minutes: int, learnt: bool
) -> None:
    """The policy's keep-alive holds between the bounds that the lines give."""
    trials = sum(survived.values()) + sum(died.values())
    assert keep_alive(IdleTrials(survived, died), 10) == KeepAlive(minutes, learnt, trials)


@pytest.mark.parametrize("true_minutes", [4, 7, 15, 31])
def test_keep_alive_is_learnt_from_random_calls(true_minutes: int) -> None:
    rng = random.Random(true_minutes)
    lines, at, environment, last = [], 0.0, 0, -1e9
    for _ in range(3000):
        at += rng.expovariate(1 / (1.5 * true_minutes))
        if at - last > true_minutes:
            environment += 1
            lines.append(call(at, str(environment), 50.0))
        else:
            lines.append(call(at, str(environment)))
        last = at
    found = keep_alive(idle_trials(lines), 10)
    assert found.learnt
    assert true_minutes - 2 <= found.minutes <= true_minutes


def test_init_is_taken_at_the_present_memory_size() -> None:
    lines = [call(0, "a", 100.0), call(1, "a"), call(2, "a"), call(30, "b", 300.0, memory_mb=1024)]
    history = FunctionHistory().add(lines, NOW + timedelta(hours=1))
    assert learn_from_reports(history, 1024, 10).init_ms == 300.0
    assert learn_from_reports(history, 512, 10).init_ms == 100.0
    assert learn_from_reports(history, 256, 10).init_ms == 200.0
    assert learn_from_reports(history, 256, 10).cold_share == 0.5
    assert learn_from_reports(FunctionHistory(), 256, 10).init_ms is None


def test_trials_add_up_over_runs_and_are_kept_as_they_are() -> None:
    first = FunctionHistory().add([call(0, "a", 100.0), call(7.5, "a")], NOW + timedelta(minutes=10))
    both = first.add([call(20, "c", 90.0), call(28.5, "c")], NOW + timedelta(minutes=30))
    assert both.idle == IdleTrials({7: 1, 8: 1}, {})
    assert FunctionHistory.from_document(json.loads(canonical_json.dumps(both))) == both
    document = json.loads(canonical_json.dumps(first))
    del document["idle"]
    assert FunctionHistory.from_document(document).idle == IdleTrials()


@pytest.mark.parametrize("few", [5, 10])
def test_spread_of_lives_is_learnt_from_random_calls(few: int) -> None:
    """Each idle environment lives from `few` to 20 minutes; the share alive is known within a tenth."""
    rng = random.Random(few)
    lines, at, environment, alive_until = [], 0.0, 0, -1e9
    for _ in range(4000):
        at += rng.expovariate(1 / 12)
        if at > alive_until:
            environment += 1
            lines.append(call(at, str(environment), 50.0))
        else:
            lines.append(call(at, str(environment)))
        alive_until = at + rng.uniform(few, 20)
    lives = learn_lives(idle_trials(lines), 10)
    for minute in range(1, 25):
        true = min(1.0, max(0.0, (20 - minute) / (20 - few)))
        found = lives.alive[minute] if minute <= lives.longest else 0.0
        assert abs(found - true) < 0.1 + 1 / (20 - few)


def test_lives_are_those_of_the_policy_where_nothing_is_known() -> None:
    assert learn_lives(IdleTrials(), 10) == Lives.of_minutes(10)


def test_survivors_of_longer_gaps_lived_through_shorter_ones() -> None:
    lives = learn_lives(IdleTrials({30: 100}, {}), 10)
    assert min(lives.alive[:31]) > 0.9
    assert learn_lives(IdleTrials({}, {4: 100}), 10).minutes(0.5) == 3


def test_evidence_tells_the_spread_of_lives() -> None:
    evidence = learn_from_reports(FunctionHistory(), 512, 10).evidence()
    assert evidence["keep_alive_spread"] == [10, 10, 10]
    half = LearntFacts(KeepAlive(10, True, 9), lives=Lives((1.0, 0.95, 0.9, 0.6, 0.4, 0.1)))
    assert half.evidence()["keep_alive_spread"] == [2, 3, 5]
