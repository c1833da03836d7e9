"""The local account answers like Lambda's control plane, and runs code of the right architecture only."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_account.account import LocalAccount

from tests.helpers.small_stacks import make_role, may, package

pytestmark = pytest.mark.starts_servers

CODE = "def handler(event, context):\n    return event\n"
ONE_TRY = Config(retries={"max_attempts": 1, "mode": "standard"})
# The first bytes of a shared object for x86-64 and for AArch64.
ELF = {machine: b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") for machine in (62, 183)}


def make_function(account: LocalAccount, name: str, code: bytes = b"", **more: Any) -> Any:
    """Create a function; return the client."""
    client = account.session.client("lambda", config=ONE_TRY)
    client.create_function(
        FunctionName=name,
        Role=make_role(account, "functions", may("logs:*")),
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": code or package(CODE)},
        **more,
    )
    return client


def refused(call: Callable[[], Any], times: int) -> int:
    """Make so many calls, eight at once; return how many were refused for the quota."""

    def code(_: int) -> str:
        try:
            call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    with ThreadPoolExecutor(8) as pool:
        codes = Counter(pool.map(code, range(times)))
    assert set(codes) <= {"", "TooManyRequestsException"}
    return codes["TooManyRequestsException"]


def test_control_plane_has_a_shared_quota(empty: LocalAccount) -> None:
    """Lambda Developer Guide, "Lambda quotas": 15 requests a second for all but GetFunction (100) and Invoke."""
    client = make_function(empty, "busy")
    assert refused(client.list_functions, 40) == 0
    with empty.switched(lambda_quota=2):
        began = time.monotonic()
        reads = refused(lambda: client.get_function_configuration(FunctionName="busy"), 40)
        assert 40 - reads <= 2 + 2 * (time.monotonic() - began) + 1
        assert refused(client.list_functions, 20) > 0, "the quota is shared by all operations"
        assert refused(lambda: client.get_function(FunctionName="busy"), 30) == 0
        assert refused(lambda: client.invoke(FunctionName="busy", Payload=b"{}"), 20) == 0


@pytest.mark.parametrize(("architecture", "machine", "runs"), [("x86_64", 62, True), ("arm64", 62, False)])
def test_native_code_of_another_architecture_fails(
    empty: LocalAccount, architecture: str, machine: int, runs: bool
) -> None:
    """A package is built for the architecture of its function, or its import fails (AWS SAM Developer Guide)."""
    name = f"native-{architecture}"
    code = package(CODE, **{"numpy/core.cpython-313-x86_64-linux-gnu.so": ELF[machine]})
    client = make_function(empty, name, code, Architectures=[architecture])

    answer = client.invoke(FunctionName=name, Payload=b"{}")

    assert ("FunctionError" not in answer) == runs
    if not runs:
        assert json.loads(answer["Payload"].read())["errorType"] == "Runtime.ImportModuleError"


def test_native_code_of_a_layer_counts(empty: LocalAccount) -> None:
    """Layers are built for an architecture as functions are."""
    client = empty.session.client("lambda")
    content = {"ZipFile": package("", **{"python/fast.so": ELF[183]})}
    layer = client.publish_layer_version(LayerName="fast", Content=content)["LayerVersionArn"]
    make_function(empty, "layered", Layers=[layer])
    assert "FunctionError" in client.invoke(FunctionName="layered", Payload=b"{}")


def provisioned_alias(account: LocalAccount, name: str) -> Any:
    """Create a function with two versions, the alias on the first with provisioned concurrency."""
    client = make_function(account, name, Publish=True)
    client.update_function_configuration(FunctionName=name, MemorySize=256)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="live", ProvisionedConcurrentExecutions=2)
    return client


def test_lambda_weights_an_alias_while_it_prepares_a_version(empty: LocalAccount) -> None:
    """hashicorp/terraform-provider-aws pull request 48116, acceptance tests against AWS."""
    client = provisioned_alias(empty, "moving")
    with empty.switched(alias_transition_minutes=0.02):
        moved = client.update_alias(FunctionName="moving", Name="live", FunctionVersion="2")

        assert moved["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 1.0}}
        found = client.get_provisioned_concurrency_config(FunctionName="moving", Qualifier="live")
        assert found["Status"] == "IN_PROGRESS"
        deadline = time.monotonic() + 10
        while "RoutingConfig" in client.get_alias(FunctionName="moving", Name="live"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    found = client.get_provisioned_concurrency_config(FunctionName="moving", Qualifier="live")
    assert found["Status"] == "READY"
    back = client.update_alias(FunctionName="moving", Name="live", FunctionVersion="1")
    assert "RoutingConfig" not in back


def test_weights_beside_provisioned_concurrency_are_a_switch(empty: LocalAccount) -> None:
    """hashicorp/terraform issue 24957: one order is refused; no source settles the other."""
    client = provisioned_alias(empty, "weighted")
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    with empty.switched(weights_beside_provisioned="refused"), pytest.raises(ClientError, match="weights"):
        client.update_alias(FunctionName="weighted", Name="live", RoutingConfig=weights)
    client.update_alias(FunctionName="weighted", Name="live", RoutingConfig=weights)
    asked = {"FunctionName": "weighted", "Qualifier": "live", "ProvisionedConcurrentExecutions": 3}
    with pytest.raises(ClientError, match="cannot be applied to an alias with weights"):
        client.put_provisioned_concurrency_config(**asked)
    with pytest.raises(ClientError, match="same version"):
        client.update_alias(
            FunctionName="weighted", Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}}
        )


def test_provisioned_concurrency_is_listed_by_holder(empty: LocalAccount) -> None:
    """ListProvisionedConcurrencyConfigs shows what aliases and versions hold (API reference)."""
    client = make_function(empty, "held", Publish=True)
    client.create_alias(FunctionName="held", Name="live", FunctionVersion="1")
    assert client.list_provisioned_concurrency_configs(FunctionName="held")["ProvisionedConcurrencyConfigs"] == []
    client.put_provisioned_concurrency_config(FunctionName="held", Qualifier="live", ProvisionedConcurrentExecutions=2)
    (found,) = client.list_provisioned_concurrency_configs(FunctionName="held")["ProvisionedConcurrencyConfigs"]
    assert found["FunctionArn"].endswith(":function:held:live")
    assert found["RequestedProvisionedConcurrentExecutions"] == 2
    own = client.get_provisioned_concurrency_config(FunctionName="held", Qualifier="live")
    assert own["RequestedProvisionedConcurrentExecutions"] == 2


def test_version_with_snap_start_is_pending(empty: LocalAccount) -> None:
    """Lambda Developer Guide, "Improving startup performance with Lambda SnapStart": publishing takes minutes."""
    client = make_function(empty, "snapped", SnapStart={"ApplyOn": "PublishedVersions"})
    with empty.switched(snap_start_s=1.0):
        assert client.publish_version(FunctionName="snapped")["State"] == "Pending"
        states = {client.get_function_configuration(FunctionName="snapped", Qualifier="1")["State"]}
        deadline = time.monotonic() + 15
        while "Active" not in states:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            states.add(client.get_function_configuration(FunctionName="snapped", Qualifier="1")["State"])
    assert states == {"Pending", "Active"}


def test_schedule_in_the_past_is_a_switch(empty: LocalAccount) -> None:
    """No source settles whether CreateSchedule refuses an at() that has passed."""
    client = empty.session.client("scheduler")
    target = {
        "Arn": "arn:aws:lambda:eu-central-1:123456789012:function:x",
        "RoleArn": "arn:aws:iam::123456789012:role/x",
    }
    asked = {
        "ScheduleExpression": "at(2020-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED",
        "Target": target,
    }
    with empty.switched(at_in_the_past="refused"), pytest.raises(ClientError, match="has passed"):
        client.create_schedule(Name="past", **asked)
    client.create_schedule(Name="past", **asked)


def test_stored_bytes_may_be_compressed(empty: LocalAccount) -> None:
    """AWS's price calculator takes stored logs for 15 % of their size; whether storedBytes is that: to try."""
    logs = empty.session.client("logs")
    logs.create_log_group(logGroupName="stored")
    logs.create_log_stream(logGroupName="stored", logStreamName="one")
    event = {"timestamp": int(time.time() * 1000), "message": "x" * 1000}
    logs.put_log_events(logGroupName="stored", logStreamName="one", logEvents=[event])

    def stored() -> int:
        (group,) = logs.describe_log_groups(logGroupNamePrefix="stored")["logGroups"]
        return int(group["storedBytes"])

    whole = stored()
    with empty.switched(stored_bytes_factor=0.15):
        assert stored() == int(whole * 0.15)


def test_lookup_events_tell_who_changed_a_function(empty: LocalAccount) -> None:
    """CloudTrail User Guide, "Viewing recent management events": the event has the caller's user agent."""
    make_function(empty, "owned")
    terraform = empty.session.client("lambda", config=Config(user_agent_extra="Terraform/1.9"))
    terraform.update_function_configuration(FunctionName="owned", MemorySize=640)

    found = empty.session.client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "UpdateFunctionConfiguration"}]
    )["Events"]

    told = [json.loads(event["CloudTrailEvent"]) for event in found]
    agents = [event["userAgent"] for event in told if event["requestParameters"].get("MemorySize") == 640]
    assert len(agents) == 1
    assert "Terraform/1.9" in agents[0]


def test_a_change_of_an_alias_is_an_event_where_a_trail_records_it(empty: LocalAccount) -> None:
    """EventBridge User Guide, "AWS service events delivered via AWS CloudTrail": without a trail there are none."""
    client = make_function(empty, "told", Publish=True)
    client.create_alias(FunctionName="told", Name="live", FunctionVersion="1")
    sqs, events = empty.session.client("sqs"), empty.session.client("events")
    queue = sqs.create_queue(QueueName="deploys")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.lambda"], "detail-type": ["AWS API Call via CloudTrail"]}
    events.put_rule(Name="deploys", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="deploys", Targets=[{"Id": "queue", "Arn": arn}])

    def told() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["detail"] for message in messages]

    with empty.switched(management_trail=False):
        client.update_alias(FunctionName="told", Name="live", Description="silent")
    assert told() == []
    client.update_alias(FunctionName="told", Name="live", Description="heard")
    (record,) = told()
    assert record["eventName"] == "UpdateAlias20150331"
    assert (record["requestParameters"]["functionName"], record["requestParameters"]["name"]) == ("told", "live")
    with pytest.raises(ClientError):
        client.update_alias(FunctionName="told", Name="blue", FunctionVersion="1")
    assert told() == []
