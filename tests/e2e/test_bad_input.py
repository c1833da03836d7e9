"""Test mistakes of people and a bad day of CloudWatch: each gives one clear line, and nothing is half changed."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.helpers.e2e.running import Execution, Inbox, Message, Running, differences, subscribed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

# In all these runs the tuners may act, so the mode is not the reason why something stays as it is.
AUTO = {"version": 1, "mode": "auto", "run": {"max_changes": 100, "max_changes_share": 1.0}}
FIVE_ERRORS = {
    "version": 1,
    "mode": "perhaps",
    "time_zone": "Mars/Olympus",
    "memory": {"floor_mb": 64, "celing_mb": 2048},
    "run": {"max_changes": "ten"},
}
PATHS = ("memory.celing_mb:", "memory.floor_mb:", "mode:", "run.max_changes:", "time_zone:")
NEVER_CALLED = "never-called"
# Longer than the eight attempts of a call can take, so that the first one fails for certain.
THROTTLED_S = 75


@pytest.fixture(scope="module")
def running(deployed: Any) -> Iterator[Running]:
    running = Running(deployed)
    running.settle()
    running.store_policy(AUTO)
    yield running
    running.forget_policy()


@pytest.fixture(scope="module")
def inbox(running: Running) -> Iterator[Inbox]:
    with subscribed(running.account.session, running.application.programs_topic_arn) as inbox:
        yield inbox


@pytest.fixture
def unchanged(running: Running) -> Iterator[None]:
    """Assert that functions and schedules are the same after the test, and that no run holds the lock."""
    before = running.live_state()
    yield
    assert differences(before, running.live_state()) == {}
    assert running.lock_holder() is None


@pytest.fixture(scope="module")
def never_called(running: Running) -> Iterator[str]:
    """Provide a function that takes part and that CloudWatch does not know."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context):\n    return None\n")
    created = running.lambda_.create_function(
        FunctionName=NEVER_CALLED,
        Runtime="python3.13",
        Role=running.lambda_.get_function_configuration(FunctionName=running.fleet[0].name)["Role"],
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Tags={"optimizer": "on", "optimizer:warmup": "ready"},
        Publish=True,
    )
    running.lambda_.create_alias(FunctionName=NEVER_CALLED, Name="live", FunctionVersion=created["Version"])
    yield NEVER_CALLED
    running.lambda_.delete_function(FunctionName=NEVER_CALLED)


def told(inbox: Inbox, run: Execution) -> Message:
    """Return the one message about a run."""
    (message,) = inbox.about(run.name)
    return message


@pytest.mark.usefixtures("unchanged")
def test_an_unknown_function_is_named_and_the_run_goes_on(running: Running, inbox: Inbox) -> None:
    run = running.optimize("unknown-function", {"functions": ["chekout-api"]})
    assert run.status == "SUCCEEDED"
    line = "- chekout-api: there is no function of this name with the tags optimizer=on in this account and region"
    assert line in told(inbox, run).text
    assert told(inbox, run).attributes["severity"] == "warning"


@pytest.mark.usefixtures("unchanged")
def test_target_without_the_alias_is_named_with_a_remedy(running: Running, inbox: Inbox) -> None:
    bare = next(target.name for target in running.fleet if not target.alias)
    run = running.optimize("without-alias", {"functions": [bare]})
    assert run.status == "SUCCEEDED"
    text = told(inbox, run).text
    assert f"- {bare}: function {bare} has no alias live; create it, or tag the function optimizer:alias" in text
    assert text.count(bare) == 2


@pytest.mark.usefixtures("unchanged")
def test_function_without_metrics_is_named_and_not_changed(running: Running, inbox: Inbox, never_called: str) -> None:
    run = running.optimize("without-metrics", {"functions": [never_called]})
    assert run.status == "SUCCEEDED"
    assert f"No metrics at all (never called, or not for weeks): {never_called}." in told(inbox, run).text
    assert told(inbox, run).attributes["severity"] == "info"
    assert running.document(f"runs/{run.name}/plan.json")["proposals"] == []


@pytest.mark.usefixtures("unchanged")
def test_a_policy_with_five_errors_ends_the_run_with_all_five(running: Running, inbox: Inbox) -> None:
    running.store_policy(FIVE_ERRORS)
    try:
        run = running.optimize("five-errors", {})
    finally:
        running.store_policy(AUTO)
    assert (run.status, run.error) == ("FAILED", "PolicyInvalid")
    text = told(inbox, run).text
    for said in (text, run.cause):
        assert "The policy policy/policy.json has 5 errors: (1)" in said
        assert [path for path in PATHS if path in said] == list(PATHS)
    assert running.keys(f"runs/{run.name}/") == []


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("name", "request_", "line"),
    [
        ("list", ["checkout-api"], 'it must be an object {...}, not ["checkout-api"].'),
        ("text", "checkout-api", 'it must be an object {...}, not "checkout-api".'),
        ("no-list", {"functions": "checkout-api"}, "functions: must be a list of texts."),
        ("misspelt", {"function": ["checkout-api"]}, "function is not known; known: databases, functions,"),
        ("tuner", {"tuners": ["memry"]}, "tuners: memry is not one of warmups, memory,"),
    ],
)
def test_unusable_input_ends_the_run_with_a_reason(
    running: Running, inbox: Inbox, name: str, request_: Any, line: str
) -> None:
    run = running.optimize(f"bad-input-{name}", request_)
    assert (run.status, run.error) == ("FAILED", "RequestInvalid")
    said = f"The input of the execution cannot be used: {line}"
    assert said in run.cause
    text = told(inbox, run).text
    assert f"The run {run.name} failed in StartRun: RequestInvalid. {said}" in text
    assert "--again" not in text, "the same input would fail again"
    assert running.keys(f"runs/{run.name}/") == []


@pytest.mark.usefixtures("unchanged")
def test_failing_lambda_is_reported_as_a_sentence(running: Running, inbox: Inbox) -> None:
    name = "optimizer-start_run"
    before = running.lambda_.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    elsewhere = {"Variables": {**before, "OPTIMIZER_BUCKET": "not-ours"}}
    running.lambda_.update_function_configuration(FunctionName=name, Environment=elsewhere)
    try:
        run = running.optimize("denied", {})
    finally:
        running.lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": before})
    assert run.status == "FAILED"
    text = told(inbox, run).text
    assert "failed in StartRun: " in text
    assert "when calling the GetObject operation: " in text
    assert "Once its cause is removed, start it again with `optimizer run --again denied`. Execution: " in text
    assert not set("{}\\") & set(text)


@dataclass(frozen=True, slots=True)
class Throttled:
    """A run whose metrics calls throttle at first, a second run that starts meanwhile, and their messages."""

    first: Execution
    second: Execution
    first_said: Message
    second_said: Message
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def throttled(running: Running, inbox: Inbox) -> Throttled:
    names = [running.fleet[place].name for place in (5, 7, 8)]
    for name in names:
        running.s3.delete_object(Bucket=running.application.bucket, Key=f"history/{name}.npz")
    running.store_policy({**AUTO, "mode": "recommend"})
    before = running.live_state()
    running.account.throttle_metrics(THROTTLED_S)
    try:
        arn = running.start(running.application.optimize_arn, "throttled", {"functions": names})
        running.until([arn], "Tune")
        # The second run would act, if it did anything.
        running.store_policy(AUTO)
        second = running.optimize("while-another-runs", {})
        first = running.ended(arn)
    finally:
        running.account.throttle_metrics(0)
    return Throttled(first, second, told(inbox, first), told(inbox, second), before, running.live_state())


def test_run_with_throttled_metrics_names_unread_functions(running: Running, throttled: Throttled) -> None:
    """A run whose metrics are throttled for a minute goes on and reports each function that it could not read."""
    assert throttled.first.status == "SUCCEEDED"
    traffic = running.document(f"runs/{throttled.first.name}/traffic/0000.json")
    assert traffic["failed"]
    assert len(traffic["failed"]) + len(traffic["functions"]) == 3
    line = "CloudWatch kept throttling GetMetricData through all retries; the next run reads the missing points"
    for name in traffic["failed"]:
        assert f"- {name}: {line}" in throttled.first_said.text
    assert differences(throttled.before, throttled.after) == {}


def test_second_run_is_skipped_while_the_first_continues(running: Running, throttled: Throttled) -> None:
    """The message of the second run names the run that holds the lock."""
    assert (throttled.second.status, throttled.second.states[-1]) == ("SUCCEEDED", "Skipped")
    line = f"Nothing was done: Run {throttled.first.name} is still active; this run does nothing."
    assert throttled.second_said.text == line
    assert running.keys(f"runs/{throttled.second.name}/") == []
    assert "Done" in throttled.first.states
    assert running.document(f"runs/{throttled.first.name}/policy.json")["mode"] == "recommend"
    assert running.lock_holder() is None
