"""Provide the deployed application's machines, and run the tests that review all end-to-end tests last."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.e2e.records import RAN
from tests.helpers.e2e.running import Running


@pytest.fixture(scope="module")
def machines(deployed: Any) -> Iterator[Running]:
    """Provide the machines, and remove the policy afterwards."""
    running = Running(deployed)
    yield running
    running.forget_policy()


def pytest_runtest_call(item: pytest.Item) -> None:
    """Remember the file of each test that was set up and is run in this process."""
    item.config.stash.setdefault(RAN, set()).add(item.path.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests that are marked so behind all others, in their own order."""
    items.sort(key=lambda item: item.get_closest_marker("looks_back") is not None)
