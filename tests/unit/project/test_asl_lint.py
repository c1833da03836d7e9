"""The shipped state machines keep every rule of local/asl_lint.py, and a broken copy of each kind is found."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asl_lint import all_states, lint

FOLDER = Path(__file__).parents[3] / "statemachine"
MACHINES = sorted(FOLDER.glob("*.asl.json"))
OPTIMIZE = (FOLDER / "optimize.asl.json").read_text()
APPROVE = (FOLDER / "approve.asl.json").read_text()
CHANGE = (FOLDER / "change.asl.json").read_text()
type Machine = dict[str, Any]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.stem)
def test_a_shipped_state_machine_keeps_every_rule(machine: Path) -> None:
    assert lint(machine.read_text()) == []


def test_states_inside_branches_and_maps_are_seen() -> None:
    assert {"StartRun", "AnalyzeTraffic", "PlanCacheTtls", "StartChange", "RunFailed"} <= all_states(OPTIMIZE)


def batches(machine: Machine) -> Machine:
    branch: Machine = machine["States"]["Tune"]["Branches"][0]["States"]["TuneFunctions"]
    return branch["ItemProcessor"]["States"]  # type: ignore[no-any-return]


def changes(machine: Machine) -> Machine:
    return machine["States"]["StartChanges"]["ItemProcessor"]["States"]  # type: ignore[no-any-return]


def remove_timeout(machine: Machine) -> None:
    del machine["States"]["StartRun"]["TimeoutSeconds"]


def remove_timeout_inside_a_map_inside_a_branch(machine: Machine) -> None:
    del batches(machine)["PlanCapacity"]["TimeoutSeconds"]


def remove_timeout_of_a_callback(machine: Machine) -> None:
    del changes(machine)["StartChange"]["TimeoutSeconds"]


def remove_jitter(machine: Machine) -> None:
    del machine["States"]["CheckGuardrails"]["Retry"][0]["JitterStrategy"]


def weaken_jitter(machine: Machine) -> None:
    batches(machine)["AnalyzeTraffic"]["Retry"][0]["JitterStrategy"] = "NONE"


def remove_longest_delay(machine: Machine) -> None:
    del machine["States"]["PublishResults"]["Retry"][0]["MaxDelaySeconds"]


def remove_most_attempts(machine: Machine) -> None:
    del machine["States"]["PublishResults"]["Retry"][0]["MaxAttempts"]


def retry_everything(machine: Machine) -> None:
    machine["States"]["StartRun"]["Retry"][0]["ErrorEquals"] = ["States.TaskFailed"]


def retry_a_timeout(machine: Machine) -> None:
    batches(machine)["PlanWarmups"]["Retry"][0]["ErrorEquals"].append("States.Timeout")


def keep_the_token(machine: Machine) -> None:
    del machine["States"]["AwaitApproval"]["Arguments"]["Payload"]["task_token"]


def keep_the_token_of_a_change(machine: Machine) -> None:
    del changes(machine)["StartChange"]["Arguments"]["Input"]["task_token"]


def end_a_failure_in_success(machine: Machine) -> None:
    machine["States"]["RunFailed"] = {"Type": "Succeed"}


def skip_from_a_failure_to_the_end(machine: Machine) -> None:
    machine["States"]["CheckGuardrails"]["Catch"][0]["Next"] = "Done"


def tolerate_by_accident(machine: Machine) -> None:
    del batches(machine)["AnalyzeTraffic"]["Catch"][0]["Comment"]


def tolerate_without_recording(machine: Machine) -> None:
    batches(machine)["AnalyzeTraffic"]["Catch"][0]["Assign"] = {"failed": []}


def catch_nothing(machine: Machine) -> None:
    del machine["States"]["PublishFailure"]["Catch"]


def catch_only_one_cause(machine: Machine) -> None:
    changes(machine)["StartChange"]["Catch"].pop()


def catch_nothing_around_the_branches(machine: Machine) -> None:
    del machine["States"]["Tune"]["Catch"]


def leave_a_bracket_open(machine: Machine) -> None:
    machine["States"]["AskPeople"]["Choices"][0]["Condition"] = "{% $count($ask > 0 %}"


def put_text_around_an_expression(machine: Machine) -> None:
    machine["States"]["TellBusy"]["Arguments"]["Subject"] = "Run {% $run_id %} skipped"


def go_nowhere(machine: Machine) -> None:
    machine["States"]["PublishResults"]["Next"] = "Nowhere"


def leave_a_state_unreached(machine: Machine) -> None:
    machine["States"]["Orphan"] = {"Type": "Succeed"}


def mix_in_json_path(machine: Machine) -> None:
    machine["States"]["GatherFailures"]["ResultPath"] = "$.x"


def speak_json_path(machine: Machine) -> None:
    machine["QueryLanguage"] = "JSONPath"


BROKEN_RUNS: list[tuple[Callable[[Machine], None], str]] = [
    (remove_timeout, "timeout"),
    (remove_timeout_inside_a_map_inside_a_branch, "timeout"),
    (remove_timeout_of_a_callback, "timeout"),
    (remove_jitter, "jitter"),
    (weaken_jitter, "jitter"),
    (remove_longest_delay, "ceiling"),
    (remove_most_attempts, "ceiling"),
    (retry_everything, "service-errors"),
    (retry_a_timeout, "service-errors"),
    (keep_the_token_of_a_change, "token"),
    (end_a_failure_in_success, "fail"),
    (skip_from_a_failure_to_the_end, "fail"),
    (tolerate_by_accident, "fail"),
    (tolerate_without_recording, "tolerated"),
    (catch_nothing, "catch"),
    (catch_only_one_cause, "catch"),
    (catch_nothing_around_the_branches, "catch"),
    (leave_a_bracket_open, "expression"),
    (put_text_around_an_expression, "expression"),
    (go_nowhere, "statelint"),
    (leave_a_state_unreached, "statelint"),
    (mix_in_json_path, "statelint"),
    (speak_json_path, "query-language"),
]


@pytest.mark.parametrize(("break_it", "rule"), BROKEN_RUNS, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_copy_of_the_run_is_found(break_it: Callable[[Machine], None], rule: str) -> None:
    machine = copy.deepcopy(json.loads(OPTIMIZE))
    break_it(machine)
    assert rule in {finding.rule for finding in lint(json.dumps(machine))}


BROKEN_APPROVALS: list[tuple[Callable[[Machine], None], str]] = [
    (keep_the_token, "token"),
    (keep_the_token_of_a_change, "token"),
]


@pytest.mark.parametrize(("break_it", "rule"), BROKEN_APPROVALS, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_copy_of_the_approval_is_found(break_it: Callable[[Machine], None], rule: str) -> None:
    machine = copy.deepcopy(json.loads(APPROVE))
    break_it(machine)
    assert rule in {finding.rule for finding in lint(json.dumps(machine))}


def stop_counting_polls(machine: Machine) -> None:
    del machine["States"]["WaitToPoll"]["Assign"]


def stop_comparing_verifications(machine: Machine) -> None:
    machine["States"]["WasVerified"]["Choices"][0]["Condition"] = "{% $answer.outcome = 'watch' %}"


def let_an_undone_change_succeed(machine: Machine) -> None:
    machine["States"]["WasPutBack"]["Choices"][1]["Next"] = "PublishOutcome"


BROKEN_CHANGES: list[tuple[Callable[[Machine], None], str]] = [
    (stop_counting_polls, "loop"),
    (stop_comparing_verifications, "loop"),
    (let_an_undone_change_succeed, "fail"),
]


@pytest.mark.parametrize(("break_it", "rule"), BROKEN_CHANGES, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_copy_of_the_life_of_a_change_is_found(break_it: Callable[[Machine], None], rule: str) -> None:
    machine = copy.deepcopy(json.loads(CHANGE))
    break_it(machine)
    assert rule in {finding.rule for finding in lint(json.dumps(machine))}


@pytest.mark.parametrize("text", [OPTIMIZE[:-3], OPTIMIZE.replace('"${StartRun}"', "${StartRun}")])
def test_what_is_not_json_is_found_with_its_place(text: str) -> None:
    (finding,) = lint(text)
    assert finding.rule == "valid-json"
    assert finding.where.startswith("line ")
