"""Make a minimal Change, for tests of the records of changes."""

from optimizer.core.change import Change, Risk, Tuner


def small_change(function: str, tuner: Tuner, run_id: str) -> Change:
    """Return a Change of a function by a run."""
    return Change(
        run_id=run_id,
        tuner=tuner,
        action="set",
        target=f"arn:aws:lambda:eu-west-1:123456789012:function:{function}",
        before={},
        after={},
        reason="to try",
        undo={},
        risk=Risk.LOW,
        evidence={},
    )
