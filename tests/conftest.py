"""Provide a local account and real servers for the tests that need them, each started once."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from local_account.account import LocalAccount
from local_account.deploy import Application, deploy_application
from local_account.fleet import FleetSource
from local_account.servers import Installation
from local_account.servers.for_tests import NotInstalled, TestServers, summary

from tests.helpers import strict_matrix
from tests.helpers.durations import ends_of_processes, slowest_files
from tests.helpers.e2e.schedules import RUNS, postpone
from tests.helpers.examples import FAST, examples
from tests.helpers.shared_models import share_models
from tests.helpers.together import LONGEST, Together, group_of

# Hours of observation pass in seconds.
WAIT_SCALE = 0.002
# The address of the parameter NotificationEmail.
TEAM = "team@example.com"


# Optional programs that `make` does not install.
PROGRAMS = ("chromium", "node")


def pytest_report_header() -> str:
    """Return a line about the programs that the tests run with and without."""
    said = [f"{name}: {shutil.which(name) or 'not installed, its tests are skipped'}" for name in PROGRAMS]
    return f"local AWS account and Valkey from wheels; {', '.join(said)}"


# A test that uses one of these fixtures starts a server or a deploy: the inner loop leaves it out.
_STARTED = {"account", "deployed", "program", "server"}
# An example that is slow on a busy machine is no error.
settings.register_profile("whole", deadline=None)
settings.register_profile("fast", max_examples=examples(settings.default.max_examples), deadline=None)
settings.load_profile("fast" if FAST else "whole")
share_models()

SERVERS = pytest.StashKey[TestServers]()
RAN_ON = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Prepare servers that start when a test asks for them."""
    config.stash[SERVERS], config.stash[RAN_ON] = TestServers(), set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start a server or a deployment, and let the longest groups begin first."""
    for item in items:
        given = getattr(item, "callspec", None)
        on_a_server = given is not None and any(isinstance(value, Installation) for value in given.params.values())
        if on_a_server or _STARTED.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("starts_servers")
    items.sort(key=lambda item: group_of(item.nodeid) not in LONGEST)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name servers in test ids, because the two processes must call each test the same."""
    return val.name if isinstance(val, Installation) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Run tests that share slow starts in one process; in the inner loop nothing does."""
    return None if FAST else Together(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the servers that were started, and pass their names to the process that reports."""
    servers, output = session.config.stash[SERVERS], getattr(session.config, "workeroutput", None)
    if output is not None:
        output["ran_on"] = servers.ran_on
    session.config.stash[RAN_ON].update(servers.ran_on)
    servers.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the servers that another process ran on."""
    node.config.stash[RAN_ON].update(getattr(node, "workeroutput", {}).get("ran_on", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report the databases and caches that the tests ran on, and the missing ones."""
    terminalreporter.section("real servers")
    for line in summary(config.stash[RAN_ON]):
        terminalreporter.write_line(line)
    _summarise_faults(terminalreporter)
    kinds = ("passed", "failed", "error", "")
    reports = [one for kind in kinds for one in terminalreporter.stats.get(kind, ()) if hasattr(one, "duration")]
    terminalreporter.section("ten slowest files, with what they set up")
    for line in (*slowest_files(reports), *ends_of_processes(reports)):
        terminalreporter.write_line(line)


def _summarise_faults(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the number of faults of calls to AWS that each Lambda was tested with (tests/faults)."""
    cases: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                told = (pair for pair in report.user_properties if pair[0].startswith("cases "))
                cases.update({name.removeprefix("cases "): int(count) for name, count in told})
    if cases:
        terminalreporter.section("faults of calls to AWS")
        by_function = ", ".join(f"{name} {count}" for name, count in sorted(cases.items()))
        terminalreporter.write_line(f"{cases.total()} cases: {by_function}")


@dataclass(frozen=True, slots=True)
class Deployed:
    """The application in a local account."""

    account: LocalAccount
    application: Application


@pytest.fixture(scope="session")
def account() -> Iterator[LocalAccount]:
    """Provide a local account with its targets and IAM enforced, each switch at its stricter setting."""
    switches, _ = strict_matrix.of_environment()
    with LocalAccount(FleetSource(datetime.now(UTC), busy=True), wait_scale=WAIT_SCALE, switches=switches) as running:
        yield running


@pytest.fixture(scope="session")
def deployed(account: LocalAccount) -> Deployed:
    """Provide the application, built with `sam build` and deployed into `account`.

    Its schedules are enabled and come due when a test lets them.
    """
    _, parameters = strict_matrix.of_environment()
    always = {"ScheduleState": "ENABLED", "NotificationEmail": TEAM}
    application = deploy_application(account, {**always, **parameters})
    postpone(account.session.client("scheduler"), RUNS)
    return Deployed(account, application)


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Provide the path of an optional program: without it a test is skipped, and fails in CI."""

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
    """Provide the running server of an installation: without it a test is skipped, and fails in CI."""

    def get(installation: Installation[S]) -> S:
        try:
            return pytestconfig.stash[SERVERS].get(installation)
        except NotInstalled as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(str(missing))
            pytest.skip(str(missing))

    return get
