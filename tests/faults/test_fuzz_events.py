"""Send malformed events to every Lambda: each error is named in one line, and nothing is stored."""

from typing import Any

import boto3
import pytest
from hypothesis import given
from local_account.price_list import StandInPricing
from optimizer.core import canonical_json

from tests.helpers.faults.fuzzing import EXAMPLES, failure_of, is_ours, mutated
from tests.helpers.faults.lambda_world import build
from tests.helpers.faults.samples import INDEXES, database, pinged
from tests.helpers.faults.stage import Stage, Step
from tests.helpers.own_account import sample_event

FUNCTIONS = (
    "start_run", "analyze_traffic", "plan_warmups", "plan_capacity", "plan_index_maintenance", "plan_cache_ttls",
    "check_guardrails", "request_approval", "answer_approval", "change_warmups", "change_capacity", "change_indexes",
    "change_cache_ttls", "warm_function", "provision_function", "render_report", "show_report", "publish_results",
    "leave_account", "read_prices",
)  # fmt: skip
MORE = {
    "request_approval": [{"step": "expire", "run_id": "example-run"}],
    "answer_approval": [
        {
            "step": "answer", "run_id": "example-run", "digest": "d" * 64, "approver": "anyone", "by": "A",
            "approved": ["memory-0123456789abcdef"],
        },
        {
            "rawPath": "/", "rawQueryString": "run=example-run&approver=anyone&until=1795000000", "headers": {},
            "requestContext": {"domainName": "a.example", "http": {"method": "GET", "sourceIp": "192.0.2.1"}},
        },
    ],
    "publish_results": [{"step": "change", "run_id": "example-run", "change_id": "memory-0123456789abcdef"}],
}  # fmt: skip
EVENTS = [(name, event) for name in FUNCTIONS for event in (sample_event(name), *MORE.get(name, []))]


@pytest.fixture
def asked(staged: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Provide a stage with the run of the sample events, of which only the policy is stored."""
    key = boto3.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    for name in ("APPROVAL", "REPORT"):
        monkeypatch.setenv(f"OPTIMIZER_{name}_KEY", key)
        monkeypatch.setenv(f"OPTIMIZER_{name}_URL", "https://a.example/")
    for name in ("OPTIMIZE", "CHANGE"):
        monkeypatch.setenv(f"OPTIMIZER_{name}_ARN", f"arn:aws:states:eu-west-1:123456789012:stateMachine:{name}")
    staged.calls.answers["ListExecutions"] = lambda _request: {"executions": []}
    build(staged)
    database(staged)
    staged.documents.write("runs/example-run/policy.json", canonical_json.plain(INDEXES))
    staged.documents.write("policy/policy.json", canonical_json.plain(INDEXES))
    monkeypatch.setenv("OPTIMIZER_REPORT_DAYS", "7")
    pinged(staged)
    silent = {"Id": "d0", "Timestamps": [], "Values": [], "StatusCode": "Complete"}
    staged.calls.answers["GetMetricData"] = lambda _request: {"MetricDataResults": [silent]}
    staged.calls.answers["GetProducts"] = lambda request: StandInPricing().get_products(**request)
    staged.calls.answers["FilterLogEvents"] = lambda _request: {"events": []}
    return staged


@pytest.mark.parametrize(("name", "event"), EVENTS, ids=[f"{name} {event.get('step', '')}" for name, event in EVENTS])
def test_wrong_event_fails_in_one_line_and_leaves_no_trace(asked: Stage, name: str, event: dict[str, Any]) -> None:
    before, tried = asked.save(), 0

    @EXAMPLES
    @given(mutated(event))
    def refuses(changed: Any) -> None:
        nonlocal tried
        tried += 1
        asked.restore(before)
        asked.calls.arm(0, None)
        state = asked.state()
        failure, answer = failure_of(lambda: asked.run(Step(name, changed)))
        if failure is None:
            assert answer.get("statusCode") != 500, changed
        else:
            assert is_ours(failure), f"{type(failure).__name__}: {failure}"
            assert asked.state() == state

    refuses()
    asked.fuzzed[name] = asked.fuzzed.get(name, 0) + tried
