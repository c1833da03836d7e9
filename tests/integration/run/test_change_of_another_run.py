"""Test that a change is applied under the policy of its own run, whichever function applies it."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optimizer.core.change import Change, Risk, Status, StoredChange, Tuner
from optimizer.lifecycle import handler as lifecycle_handler
from optimizer.lifecycle.handler import OtherRun

FUNCTIONS = ("change_capacity", "change_warmups", "change_indexes", "change_cache_ttls")
CHANGE = Change(
    run_id="strict",
    tuner=Tuner.CACHE_TTLS,
    action="set_ttls",
    target="cache/shop",
    before={},
    after={},
    reason="r",
    undo={},
    risk=Risk.LOW,
)


@pytest.mark.parametrize("step", ["apply", "poll", "verify", "keep", "revert"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_run_of_the_event_must_be_the_run_of_the_change(
    function: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TABLE", "BUCKET", "TOPIC_ARN", "POLICY_KEY"):
        monkeypatch.setenv(f"OPTIMIZER_{name}", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    stored = StoredChange(CHANGE, Status.APPROVED, {}, "", "", "", {"approved": datetime.now(UTC)})
    document = {"version": 1, "mode": "auto"}
    monkeypatch.setattr(lifecycle_handler, "Documents", lambda *_: SimpleNamespace(read=lambda _key: document))
    monkeypatch.setattr(lifecycle_handler, "RunStore", lambda *_: SimpleNamespace(change=lambda _id: stored))
    path = Path(__file__).parents[3] / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"other_run_{function}", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    event = {"step": step, "run_id": "lenient", "change_id": CHANGE.id}
    with pytest.raises(OtherRun, match="is a change of run strict, not of lenient"):
        module.handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: 1000))
