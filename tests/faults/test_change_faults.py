"""Let every call to AWS of every step in the life of a change go wrong once, in every way.

With another attempt it ends as if nothing had happened. If the machine gives up and rolls back, the state before is in
force again and the record says so.
"""

import pytest

from tests.helpers.faults.samples import LIVES
from tests.helpers.faults.stage import Stage


@pytest.mark.parametrize("name", LIVES)
def test_a_change_survives_every_fault_of_every_call(staged: Stage, name: str) -> None:
    life = LIVES[name]()
    life.start(staged)
    former = life.in_force(staged)
    outcomes = life.with_every_fault(staged)
    assert outcomes[-1] == life.ends, outcomes
    assert (life.in_force(staged) == former) == (life.ends == "reverted")
