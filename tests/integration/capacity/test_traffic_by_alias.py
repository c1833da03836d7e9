"""Plans rest on the calls of the alias and on measured concurrency, where others would have led astray."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from local_account.account import REGION, LocalAccount
from local_account.fleet import READY, FleetSource
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.planner import CapacityPlanner
from optimizer.function_logs import ReportLog
from optimizer.policy import Policy
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.store.proposals import Proposals
from optimizer.traffic import littles_law
from optimizer.traffic.analyze import analyze_batch
from optimizer.warmups.planner import plan_batch

from tests.helpers.called_functions import (
    BATCH,
    BURSTS,
    BUSY,
    NAMES,
    POLICY,
    SIBLING,
    TOGETHER,
    create_called_functions,
)
from tests.helpers.own_account import create_run_table
from tests.helpers.rates import PRICES

# A local account of its own.
pytestmark = pytest.mark.starts_servers
TABLE, BUCKET, RUN, GROUP = "optimizer", "optimizer-data", "by-alias", "warmups"


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans for functions behind the alias `live`. provisioned: environments; pinged: the most at once."""

    provisioned: Mapping[str, int]
    pinged: Mapping[str, int]
    reasons: Mapping[str, str]


def plan(account: LocalAccount, documents: Documents, calls_of: str) -> Plans:
    """Plan by the calls through an alias, or by all of a function with `$LATEST`."""
    client: Any = account.session.client
    now = datetime.now(UTC)
    common = {"timezone": "UTC", "tags": READY, "warmup_ready": True}
    arns = {name: client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"] for name in NAMES}
    targets = [{"function_name": name, "function_arn": arns[name], "alias": "live", **common} for name in NAMES]
    read = [{**target, "alias": calls_of} for target in targets]
    traffic = analyze_batch(client("cloudwatch"), documents, PingLog(client("dynamodb"), TABLE), read, now)
    documents.write(f"runs/{RUN}/policy.json", POLICY)
    documents.write(f"runs/{RUN}/batches/0000.json", {"functions": targets})
    documents.write(f"runs/{RUN}/traffic/0000.json", {"functions": traffic.functions, "failed": traffic.failed})
    lambda_account = LambdaAccount(client("lambda"), client("application-autoscaling"))
    policy = Policy.from_document(POLICY)
    capacity = CapacityPlanner(documents, lambda_account, ReportLog(client("logs")), policy, RUN, now, PRICES).plan(
        "0000"
    )
    warmups = plan_batch(
        client("lambda"), client("scheduler"), documents, lambda *_: (), GROUP, RUN, "0000", now, lambda *_: None
    )
    return Plans(
        {name: int(after["environments"]) for name, after in _changes(capacity, "provisioned_concurrency")},
        {name: int(after["most_environments"]) for name, after in _changes(warmups, "warmups")},
        {
            one.target.rpartition(":")[2]: one.reason
            for one in capacity.no_changes
            if one.tuner == "provisioned_concurrency"
        },
    )


def _changes(proposals: Proposals, tuner: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    assert not proposals.failed
    for change in proposals.changes:
        if change.tuner == tuner:
            yield change.target.rpartition(":")[2], change.after


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[LocalAccount, Documents]]:
    with LocalAccount(FleetSource(datetime.now(UTC), functions=1)) as local:
        client: Any = local.session.client
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        create_run_table(client("dynamodb"), TABLE)
        client("scheduler").create_schedule_group(Name=GROUP)
        create_called_functions(local)
        yield local, Documents(client("s3"), BUCKET)


@pytest.fixture(scope="module")
def of_function(world: tuple[LocalAccount, Documents]) -> Plans:
    """Provide the plans that rest on all calls of the functions."""
    return plan(*world, "$LATEST")


@pytest.fixture(scope="module")
def of_alias(world: tuple[LocalAccount, Documents], of_function: Plans) -> Plans:
    """Provide the plans that rest on the calls through the alias; the history of all calls is stored before."""
    assert of_function.pinged
    return plan(*world, "live")


def test_batch_job_on_latest_makes_no_plans_for_the_alias(of_alias: Plans, of_function: Plans) -> None:
    """It keeps five environments busy all day, and none of them is warm for the alias, which is called once an hour."""
    assert of_alias.provisioned[BUSY] == of_function.provisioned[BATCH] > 0
    assert BATCH not in of_function.pinged
    assert BATCH not in of_alias.provisioned
    assert "busy 0% of the time" in of_alias.reasons[BATCH]
    assert of_alias.pinged[BATCH] == 1


def test_sibling_alias_makes_no_plans_for_the_alias(of_alias: Plans, of_function: Plans) -> None:
    """`blue` has the calls of the function; `live` has three an hour."""
    assert of_function.provisioned[SIBLING] > 0
    assert SIBLING not in of_function.pinged
    assert SIBLING not in of_alias.provisioned
    assert of_alias.pinged[SIBLING] == 3


def test_bursts_are_pinged_as_they_were_measured(of_alias: Plans) -> None:
    """By Little's law one environment serves twenty calls of a tenth of a second in a minute."""
    assert littles_law(np.array([20.0]), 100.0) == 1
    assert of_alias.pinged[BURSTS] == 20


def test_calls_that_come_together_are_not_provisioned(of_alias: Plans) -> None:
    """By Little's law one environment is busy all the time; each of the twenty measured is so 5 % of it."""
    assert TOGETHER not in of_alias.provisioned
    assert "busy 5% of the time" in of_alias.reasons[TOGETHER]
    assert TOGETHER not in of_alias.pinged
