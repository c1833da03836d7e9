import pytest
from optimizer_cli.json_lines import UnusableRequest
from optimizer_cli.planners.memory import answer

REQUEST = {
    "function": "orders",
    "architecture": "x86_64",
    "memory_mb": 1024,
    "observed": {"1024": {"mean_duration_ms": 231.0, "invocations": 500}},
    "allowed_mb": [128, 256, 512, 1024, 1769, 3008],
    "goal": "cost",
    "max_slowdown": None,
    "changes_left": 2,
}


def test_answer_has_size_reason_and_predictions():
    reply = answer(REQUEST)
    assert reply["memory_mb"] in REQUEST["allowed_mb"]
    assert str(reply["memory_mb"]) in reply["reason"]
    assert set(reply["predicted"]) == {str(mb) for mb in REQUEST["allowed_mb"]}
    assert all(p["low_ms"] <= p["mean_ms"] <= p["high_ms"] for p in reply["predicted"].values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("observed", {}),
        ("observed", {"1024": 231}),
        ("observed", {"1024": {"mean_duration_ms": 0}}),
        ("observed", {"1024": {"mean_duration_ms": float("nan")}}),
        ("observed", {"big": {"mean_duration_ms": 1.0}}),
        ("observed", {"512": {"mean_duration_ms": 1.0}}),
        ("allowed_mb", []),
        ("allowed_mb", [0]),
        ("allowed_mb", [20_000]),
        ("memory_mb", None),
        ("architecture", ["x86_64"]),
        ("architecture", "mips"),
        ("goal", "fast"),
        ("goal", {}),
        ("max_slowdown", -1),
        ("max_slowdown", "1.1"),
        ("changes_left", "two"),
        ("changes_left", True),
    ],
)
def test_unreadable_request_is_rejected(field, value):
    with pytest.raises(UnusableRequest):
        answer({**REQUEST, field: value})
