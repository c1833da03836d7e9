"""Test that `sam delete` alone leaves nothing behind, even with changes under observation. This test is the last."""

from dataclasses import dataclass
from typing import Any

import pytest
from local_account.deploy import STACK, delete_application

from tests.helpers.account_resources import names_by_kind
from tests.helpers.e2e.approvers import add_approver
from tests.helpers.e2e.on_trial import OnTrial
from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.e2e, pytest.mark.looks_back, pytest.mark.timeout(300)]
RUN = "deleted"


@dataclass(frozen=True, slots=True)
class Deleted:
    """The state before the changes, during their observation, and after the stack was deleted.

    Also the last records of the changes, and the remaining resources of the stack.
    """

    before: dict[str, Any]
    during: dict[str, Any]
    after: dict[str, Any]
    records: dict[str, str]
    left: dict[str, list[str]]


@pytest.fixture(scope="module")
def deleted(deployed: Any) -> Deleted:
    running = Running(deployed)
    on_trial = OnTrial(running, RUN)
    small, filled, warm = targets = [on_trial.function(name) for name in ("small", "filled", "warm")]
    changes = [on_trial.memory(small), on_trial.provisioned(filled, 0, 2), on_trial.warmups(warm)]
    before = on_trial.state(targets)
    on_trial.put_in_place(changes)
    add_approver(running, "leaver")
    during = on_trial.state(targets)
    delete_application(deployed.account)
    return Deleted(
        before=before,
        during=during,
        after=on_trial.state(targets),
        records={change.tuner.value: on_trial.store.change(change.id).status.value for change in changes},
        left=resources(deployed.account.session),
    )


def resources(session: Any) -> dict[str, list[str]]:
    """Return the resources that carry the stack's name, by the kind of their listing."""
    own = (f"{STACK}-", f"{STACK}_")
    found = {}
    for what, names in names_by_kind(session.client, "Name").items():
        if what == "buckets":
            found[what] = [name for name in names if name.startswith(STACK)]
        else:
            found[what] = [
                name
                for name in names
                if any(part in name for part in own) or (what == "schedules" and name.startswith(RUN))
            ]
    return found


def test_changes_under_observation_are_rolled_back_first(deleted: Deleted) -> None:
    assert deleted.during != deleted.before
    assert deleted.after == deleted.before
    assert deleted.records == dict.fromkeys(("memory", "provisioned_concurrency", "warmups"), "reverted")


def test_the_table_and_the_bucket_stay_and_nothing_else(deleted: Deleted) -> None:
    assert {what for what, names in deleted.left.items() if names} == {"tables", "buckets"}, deleted.left
    assert [len(deleted.left[what]) for what in ("tables", "buckets")] == [1, 1]
