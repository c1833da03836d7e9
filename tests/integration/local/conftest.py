"""Provide an empty local account for the tests of its rules and switches."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from local_account.account import LocalAccount
from local_account.fleet import FleetSource


@pytest.fixture(scope="session")
def empty() -> Iterator[LocalAccount]:
    """Provide an account without functions, switched as an ordinary one."""
    with LocalAccount(FleetSource(datetime.now(UTC), functions=1), wait_scale=0.01, targets=False) as running:
        yield running
