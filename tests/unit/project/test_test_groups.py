"""The groups of end-to-end tests: two halves, each recorded in its own process, and judged together."""

from tests.helpers.together import DEPLOYED, DEPLOYED_TOO, group_of

RIGHTS = "tests/e2e/test_rights_both_ways.py::"


def test_each_half_is_recorded_where_it_runs() -> None:
    for half in (DEPLOYED, DEPLOYED_TOO):
        assert group_of(f"{RIGHTS}test_actions_of_each_half_are_recorded[{half}]") == half
    assert group_of(f"{RIGHTS}test_unused_and_missing_rights_are_found[start_run]") not in (DEPLOYED, DEPLOYED_TOO)


def test_the_half_that_may_come_second_deletes_its_application() -> None:
    assert group_of("tests/browser/test_deployed_approval.py::test") == DEPLOYED
    assert group_of("tests/e2e/test_states.py::test") == DEPLOYED
    assert group_of("tests/e2e/test_stack_deleted.py::test") == DEPLOYED_TOO
    assert group_of("tests/e2e/test_of_tomorrow.py::test") == DEPLOYED_TOO
