"""Test that each Lambda may do its own work and is denied that of others, by calls with each one's own role.

Every call is made so that it changes nothing where it is allowed: a revision, a condition or a name does not hold.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_account.account import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FUNCTIONS = (
    "start_run", "analyze_traffic", "plan_warmups", "plan_capacity", "check_guardrails", "request_approval",
    "answer_approval", "publish_results", "plan_cache_ttls", "change_cache_ttls", "plan_index_maintenance",
    "change_indexes", "change_warmups", "change_capacity", "warm_function",
    "render_report", "show_report", "leave_account", "provision_function", "read_prices",
)  # fmt: skip
ACTORS = {"change_warmups", "change_capacity", "change_indexes", "change_cache_ttls"}
NO_READERS_OF_RUNS = {
    "answer_approval", "warm_function", "show_report", "leave_account", "provision_function", "read_prices",
}  # fmt: skip
READERS_OF_A_POLICY = set(FUNCTIONS) - NO_READERS_OF_RUNS
READERS_OF_RUNS = READERS_OF_A_POLICY - ACTORS - {"request_approval", "plan_cache_ttls"}
TRUST_IN_ACCOUNT = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
    "Action": "sts:AssumeRole",
}
POLICY_OF_A_RUN = "runs/rights/policy.json"
type Call = Callable[["Session"], object]


class Session:
    """Clients with the credentials of a role, and the names of what they are tried on."""

    def __init__(self, deployed: Any, credentials: dict[str, str]) -> None:
        self._url = deployed.account.url
        self._session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=REGION,
        )
        self.application = deployed.application
        fleet = deployed.account.fleet
        self.tagged = next(target.name for target in fleet if target.tags and target.alias)
        self.untagged = next(target.name for target in fleet if not target.tags)

        own = deployed.account.session.client("lambda").get_function_configuration(
            FunctionName="optimizer-answer_approval"
        )
        self.approval_key = own["Environment"]["Variables"]["OPTIMIZER_APPROVAL_KEY"]
        kms = deployed.account.session.client("kms")
        self.other_key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]

    def client(self, service: str) -> Any:
        return self._session.client(
            service,
            endpoint_url=self._url,
            config=Config(retries={"total_max_attempts": 1}),
        )


def set_memory(session: Session, function: str) -> None:
    session.client("lambda").update_function_configuration(FunctionName=function, MemorySize=256, RevisionId="other")


def publish_version(session: Session, function: str) -> None:
    session.client("lambda").publish_version(FunctionName=function, CodeSha256="other", RevisionId="other")


def move_alias(session: Session, function: str) -> None:
    session.client("lambda").update_alias(FunctionName=function, Name="none", FunctionVersion="1")


def provision(session: Session, function: str) -> None:
    session.client("lambda").put_provisioned_concurrency_config(
        FunctionName=function, Qualifier="none", ProvisionedConcurrentExecutions=1
    )


def unprovision(session: Session, function: str) -> None:
    session.client("lambda").delete_provisioned_concurrency_config(FunctionName=function, Qualifier="none")


def invoke(session: Session, function: str) -> None:
    session.client("lambda").invoke(FunctionName=function, Qualifier="none")


def schedule(session: Session, group: str) -> None:
    session.client("scheduler").create_schedule(
        Name="rights",
        GroupName=group,
        ScheduleExpression="never",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:lambda:::none", "RoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/none"},
    )


def unschedule(session: Session, group: str) -> None:
    session.client("scheduler").delete_schedule(Name="rights", GroupName=group)


def sign(session: Session, key: str) -> None:
    session.client("kms").generate_mac(KeyId=key, Message=b"rights", MacAlgorithm="HMAC_SHA_256")


def verify(session: Session, key: str) -> None:
    session.client("kms").verify_mac(KeyId=key, Message=b"rights", MacAlgorithm="HMAC_SHA_256", Mac=b"none" * 8)


def put(session: Session, key: str) -> None:
    session.client("s3").put_object(Bucket=session.application.bucket, Key=key, Body=b"{}")


def get(session: Session, key: str) -> None:
    session.client("s3").get_object(Bucket=session.application.bucket, Key=key)


def put_item(session: Session) -> None:
    session.client("dynamodb").put_item(
        TableName=session.application.table,
        Item={"pk": {"S": "RIGHTS"}, "sk": {"S": "NONE"}},
        ConditionExpression="attribute_exists(pk)",
    )


def update_item(session: Session) -> None:
    session.client("dynamodb").update_item(
        TableName=session.application.table,
        Key={"pk": {"S": "RIGHTS"}, "sk": {"S": "NONE"}},
        UpdateExpression="SET tried = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
        ConditionExpression="attribute_exists(pk)",
    )


def delete_item(session: Session) -> None:
    session.client("dynamodb").delete_item(
        TableName=session.application.table, Key={"pk": {"S": "RIGHTS"}, "sk": {"S": "NONE"}}
    )


def stop(session: Session, machine: str) -> None:
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:none"
    session.client("stepfunctions").stop_execution(executionArn=arn)


def put_event(session: Session, source: str) -> None:
    session.client("events").put_events(Entries=[{"Source": source, "DetailType": "Rights", "Detail": "{}"}])


def mac(session: Session, *, sign: bool) -> None:
    kms, key = session.client("kms"), session.application.outputs["ReportKey"]
    asked = {"KeyId": key, "Message": b"rights", "MacAlgorithm": "HMAC_SHA_256"}
    if sign:
        kms.generate_mac(**asked)
    else:
        kms.verify_mac(**asked, Mac=b"none")


def start_query(session: Session) -> None:
    session.client("logs").start_query(
        logGroupName=f"/aws/lambda/{session.tagged}", startTime=1, endTime=2, queryString="fields @message | limit 1"
    )


def put_parameter(session: Session, name: str) -> None:
    # Without a type no parameter is made.
    session.client("ssm").put_parameter(Name=name, Value="none")


def filter_events(session: Session) -> None:
    session.client("logs").filter_log_events(logGroupName="/none")


def read_secret(session: Session, name: str) -> None:
    session.client("secretsmanager").get_secret_value(SecretId=name)


TALK_TO_DATABASES = {"plan_index_maintenance", "change_indexes"}
WRITERS_OF_THE_TABLE = {
    "start_run", "check_guardrails", "request_approval", "answer_approval", "publish_results", "change_warmups",
    "change_capacity", "change_cache_ttls", "change_indexes",
}  # fmt: skip

CALLS: dict[str, tuple[Call, set[str]]] = {
    "set the memory of a tagged function": (lambda s: set_memory(s, s.tagged), {"change_capacity"}),
    "set the memory of any other function": (lambda s: set_memory(s, s.untagged), set()),
    "set the memory of one of our own": (lambda s: set_memory(s, "optimizer-start_run"), set()),
    "publish a version of a tagged function": (lambda s: publish_version(s, s.tagged), {"change_capacity"}),
    "publish a version of any other function": (lambda s: publish_version(s, s.untagged), set()),
    "move an alias of a tagged function": (lambda s: move_alias(s, s.tagged), {"change_capacity"}),
    "move an alias of any other function": (lambda s: move_alias(s, s.untagged), set()),
    "provision a tagged function": (lambda s: provision(s, s.tagged), {"change_capacity", "provision_function"}),
    "provision any other function": (lambda s: provision(s, s.untagged), set()),
    "unprovision a tagged function": (lambda s: unprovision(s, s.tagged), {"change_capacity", "provision_function"}),
    "unprovision any other function": (lambda s: unprovision(s, s.untagged), set()),
    "invoke a tagged function": (lambda s: invoke(s, s.tagged), {"warm_function", "change_warmups"}),
    "invoke any other function": (lambda s: invoke(s, s.untagged), set()),
    "schedule in the group of the warm-ups": (lambda s: schedule(s, s.application.schedule_group), {"change_warmups"}),
    "schedule in the group of the timetables": (
        lambda s: schedule(s, s.application.timetable_group),
        {"change_capacity"},
    ),
    "unschedule in the group of the timetables": (
        lambda s: unschedule(s, s.application.timetable_group),
        {"change_capacity"},
    ),
    "schedule in another group": (lambda s: schedule(s, "default"), set()),
    "unschedule in the group of the warm-ups": (
        lambda s: unschedule(s, s.application.schedule_group),
        {"change_warmups"},
    ),
    "unschedule in another group": (lambda s: unschedule(s, "default"), set()),
    "publish a message": (
        lambda s: s.client("sns").publish(TopicArn=s.application.topic_arn, Message="rights"),
        {"publish_results", "request_approval"},
    ),
    "put an event of its own on the bus": (
        lambda s: put_event(s, "optimizer"),
        {"publish_results", "request_approval"},
    ),
    "put an event of another's on the bus": (lambda s: put_event(s, "orders"), set()),
    "answer a task token": (
        lambda s: s.client("stepfunctions").send_task_success(taskToken="none", output="{}"),
        {"request_approval", "answer_approval"},
    ),
    "sign a link": (lambda s: sign(s, s.approval_key), {"request_approval"}),
    "verify a link": (lambda s: verify(s, s.approval_key), {"answer_approval"}),
    "sign with any other key": (lambda s: sign(s, s.other_key), set()),
    "start a run": (
        lambda s: s.client("stepfunctions").start_execution(stateMachineArn=s.application.optimize_arn, input="no"),
        set(),
    ),
    "take a change back": (
        lambda s: s.client("stepfunctions").start_execution(stateMachineArn=s.application.change_arn, input="no"),
        {"leave_account"},
    ),
    "end a run": (lambda s: stop(s, s.application.optimize_arn), {"leave_account"}),
    "end a change": (lambda s: stop(s, s.application.change_arn), {"leave_account"}),
    "end what is the team's": (lambda s: stop(s, f"{s.application.change_arn}s-of-others"), set()),
    "find tagged functions": (
        lambda s: s.client("resourcegroupstaggingapi").get_resources(ResourcesPerPage=1),
        {"start_run"},
    ),
    "search the logs of a function": (start_query, {"plan_capacity", "change_capacity"}),
    "publish TTLs of a cache": (lambda s: put_parameter(s, "/rights/cache-ttls"), {"change_cache_ttls"}),
    "write another parameter": (lambda s: put_parameter(s, "/rights/other"), set()),
    "read the records of a cache client": (filter_events, {"plan_cache_ttls", "change_cache_ttls"}),
    "read the team's policy": (
        lambda s: get(s, "policy/policy.json"),
        {"start_run", "provision_function", *TALK_TO_DATABASES},
    ),
    "write the team's policy": (lambda s: put(s, "policy/policy.json"), set()),
    "read the policy of a run": (lambda s: get(s, POLICY_OF_A_RUN), READERS_OF_A_POLICY),
    "read what belongs to a run": (lambda s: get(s, "runs/rights/none.json"), READERS_OF_RUNS),
    "write a plan": (
        lambda s: put(s, "runs/rights/plan.json"),
        {"start_run", "check_guardrails"},
    ),
    "write proposals": (
        lambda s: put(s, "runs/rights/proposals/none.json"),
        {"start_run", "check_guardrails", "plan_warmups", "plan_capacity", "plan_cache_ttls"}
        | {"plan_index_maintenance"},
    ),
    "write a page of a report": (
        lambda s: put(s, "runs/rights/report/none.html"),
        {"start_run", "check_guardrails", "publish_results", "render_report"},
    ),
    "read a page of a report": (lambda s: get(s, "runs/rights/report/none.html"), READERS_OF_RUNS | {"show_report"}),
    "sign a link to a report": (lambda s: mac(s, sign=True), {"publish_results"}),
    "verify a link to a report": (lambda s: mac(s, sign=False), {"show_report"}),
    "write history": (lambda s: put(s, "history/rights.npz"), {"analyze_traffic"}),
    "read the prices": (
        lambda s: get(s, "history/prices/none.json"),
        {"analyze_traffic", "plan_warmups", "plan_capacity", "read_prices"},
    ),
    "write the prices": (lambda s: put(s, "history/prices/rights.json"), {"analyze_traffic", "read_prices"}),
    "write what is remembered of indexes": (
        lambda s: put(s, "history/indexes/rights.json"),
        {"analyze_traffic", "plan_index_maintenance"},
    ),
    "read the secret of a tagged database": (lambda s: read_secret(s, "rights-tagged"), TALK_TO_DATABASES),
    "read any other secret": (lambda s: read_secret(s, "rights-other"), set()),
    "put an item": (put_item, WRITERS_OF_THE_TABLE | {"warm_function", "leave_account"}),
    "update an item": (update_item, WRITERS_OF_THE_TABLE),
    "delete an item": (delete_item, set()),
    "delete a function": (lambda s: s.client("lambda").delete_function(FunctionName="none"), set()),
    # GetFunction, one call of a quota of its own for all that is read of a function, also answers a link to its code.
    "read a function's code": (
        lambda s: s.client("lambda").get_function(FunctionName=s.tagged),
        {"analyze_traffic", "plan_warmups", "plan_capacity", "change_capacity", "provision_function"},
    ),
    "read the code of any other function": (
        lambda s: s.client("lambda").get_function(FunctionName=s.untagged),
        {"change_capacity", "provision_function"},
    ),
    "list what functions there are": (
        lambda s: s.client("lambda").list_functions(MaxItems=1),
        {"start_run", "read_prices"},
    ),
    "read a layer's code": (
        lambda s: s.client("lambda").get_layer_version(LayerName="none", VersionNumber=1),
        set(),
    ),
    "make a role": (
        lambda s: s.client("iam").create_role(RoleName="rights", AssumeRolePolicyDocument="{}"),
        set(),
    ),
}


@pytest.fixture(scope="module")
def sessions(deployed: Any) -> dict[str, Session]:
    """Provide a session for each Lambda with its own role, whose trust is extended to this account for the test."""
    iam: IAMClient = deployed.account.session.client("iam")
    secrets = deployed.account.session.client("secretsmanager")
    secrets.create_secret(Name="rights-tagged", SecretString="{}", Tags=[{"Key": "optimizer", "Value": "on"}])
    secrets.create_secret(Name="rights-other", SecretString="{}")
    # A caller without the right to list does not learn that an object is missing.
    deployed.account.session.client("s3").put_object(
        Bucket=deployed.application.bucket, Key=POLICY_OF_A_RUN, Body=b"{}"
    )
    lambda_, sts = deployed.account.session.client("lambda"), deployed.account.session.client("sts")
    found = {}
    for function in FUNCTIONS:
        arn = lambda_.get_function_configuration(FunctionName=f"optimizer-{function}")["Role"]
        name = arn.rpartition("/")[2]
        trust: Any = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        extended = {**trust, "Statement": [*trust["Statement"], TRUST_IN_ACCOUNT]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(extended))
        assumed = sts.assume_role(RoleArn=arn, RoleSessionName="rights")
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        found[function] = Session(deployed, assumed["Credentials"])
    return found


@pytest.mark.parametrize("what", CALLS)
def test_only_the_intended_functions_are_allowed_to_call(sessions: dict[str, Session], what: str) -> None:
    call, allowed = CALLS[what]
    assert {function for function, session in sessions.items() if not denied(call, session)} == allowed


@pytest.mark.parametrize("call", ["sign a link", "sign a link to a report"])
def test_an_administrator_cannot_sign_links(deployed: Any, call: str) -> None:
    """Broad roles may use every key of an account: the keys of links keep out all but one."""
    iam, sts = deployed.account.session.client("iam"), deployed.account.session.client("sts")
    trust = {"Version": "2012-10-17", "Statement": [TRUST_IN_ACCOUNT]}
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = iam.create_role(RoleName="administrator", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName="administrator", PolicyName="everything", PolicyDocument=json.dumps(everything))
    try:
        assumed = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="rights")
        session = Session(deployed, assumed["Credentials"])
        assert not denied(CALLS["sign with any other key"][0], session)
        assert denied(CALLS[call][0], session)
    finally:
        iam.delete_role_policy(RoleName="administrator", PolicyName="everything")
        iam.delete_role(RoleName="administrator")


def denied(call: Call, session: Session) -> bool:
    """Return whether IAM refuses the call; any other refusal comes after IAM."""
    try:
        call(session)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return "AccessDenied" in code or "NotAuthorized" in code or "AuthorizationError" in code
    return False
