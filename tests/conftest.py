"""A local account and real servers for the tests that need them, each started once."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from local_account.account import LocalAccount
from local_account.deploy import Application, deploy_application
from local_account.fleet import FleetSource
from servers import Installation
from servers.for_tests import NotInstalled, TestServers

# Hours of watching pass in seconds.
WAIT_SCALE = 0.002


# What a test may want beside what `make` sets up.
PROGRAMS = ("chromium", "node")


def pytest_report_header() -> str:
    """Says what the tests run with and without."""
    said = [f"{name}: {shutil.which(name) or 'not installed, its tests are skipped'}" for name in PROGRAMS]
    return f"local AWS account and Valkey from wheels; {', '.join(said)}"


SERVERS = pytest.StashKey[TestServers]()


def pytest_configure(config: pytest.Config) -> None:
    """Servers are started when a test asks for them."""
    config.stash[SERVERS] = TestServers()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the servers that were started."""
    config.stash[SERVERS].stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says on which databases and caches the tests ran, and which were not there."""
    terminalreporter.section("real servers")
    for line in config.stash[SERVERS].summary():
        terminalreporter.write_line(line)


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


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Finds a program that is no part of the set-up: without it a test is skipped, and fails in CI."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None and os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed; .ci/run installs it")
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find


@pytest.fixture(scope="session")
def server[S](pytestconfig: pytest.Config) -> Callable[[Installation[S]], S]:
    """Gives the running server of an installation: without it a test is skipped, and fails in CI."""

    def get(installation: Installation[S]) -> S:
        try:
            return pytestconfig.stash[SERVERS].get(installation)
        except NotInstalled as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(str(missing))
            pytest.skip(str(missing))

    return get
