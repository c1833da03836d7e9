"""A local account for the tests that need one, started once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from local_account.account import LocalAccount
from local_account.deploy import Application, deploy_application
from local_account.fleet import FleetSource

# Hours of watching pass in seconds.
WAIT_SCALE = 0.002


@dataclass(frozen=True, slots=True)
class Deployed:
    """The application in a local account."""

    account: LocalAccount
    application: Application


@pytest.fixture(scope="session")
def account() -> Iterator[LocalAccount]:
    """A local account with its targets, IAM enforced."""
    with LocalAccount(FleetSource(datetime.now(UTC)), wait_scale=WAIT_SCALE) as running:
        yield running


@pytest.fixture(scope="session")
def deployed(account: LocalAccount) -> Deployed:
    """The application built with `sam build` and deployed into `account`."""
    return Deployed(account, deploy_application(account))
