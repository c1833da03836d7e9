"""template.yaml and what it deploys fit together."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from locked_requirements import needs
from optimizer.approvals.respond import TELLING
from optimizer.run import RunRequest
from shipped_template import RESOURCES, ROOT, TEMPLATE, of_type, permissions

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
# What a function may need beside the standard library and boto3, by the module it is imported as.
DISTRIBUTIONS = {
    "jinja2": "jinja2",
    "pygal": "pygal",
    "numpy": "numpy",
    "jsonschema": "jsonschema",
    "aws_lambda_powertools": "aws-lambda-powertools",
    "redis": "redis",
    "markupsafe": "markupsafe",
}

# Executions that began before an upgrade go on with their old definition and the new rights.
INVOKED_BEFORE_AN_UPGRADE = {"optimize": {"RequestApproval"}}

# Drivers are imported when the first database of their engine is connected to, so that nobody waits for the other's.
LATER = {name: {"pg8000", "pymysql"} for name in ("plan_index_maintenance", "change_indexes")}
# Only a policy with calendars of countries loads them.
LATER["start_run"] = {"holidays"}
# Only a look at the memory of a cache loads it.
LATER["change_cache_ttls"] = {"redis"}


def test_every_folder_of_functions_is_deployed_and_nothing_else() -> None:
    deployed = [Path(f["CodeUri"]).name for f in of_type("AWS::Serverless::Function").values()]
    assert sorted(deployed) == FUNCTIONS


@pytest.mark.parametrize("name", ["optimize", "approve", "change"])
def test_a_state_machine_gets_exactly_its_substitutions(name: str) -> None:
    uri = f"statemachine/{name}.asl.json"
    machines = of_type("AWS::Serverless::StateMachine").values()
    (given,) = [set(machine["DefinitionSubstitutions"]) for machine in machines if machine["DefinitionUri"] == uri]
    text = (ROOT / uri).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == given
    json.loads(text)


@pytest.mark.parametrize("name", ["optimize", "approve", "change"])
def test_a_state_machine_may_invoke_exactly_its_functions(name: str) -> None:
    uri = f"statemachine/{name}.asl.json"
    machines = of_type("AWS::Serverless::StateMachine").values()
    (machine,) = [machine for machine in machines if machine["DefinitionUri"] == uri]
    given = {
        value["!GetAtt"].removesuffix(".Arn")
        for value in machine["DefinitionSubstitutions"].values()
        if "!GetAtt" in value and value["!GetAtt"].removesuffix(".Arn") in of_type("AWS::Serverless::Function")
    }
    statements = [s for policy in machine["Policies"] if "Statement" in policy for s in policy["Statement"]]
    (invoke,) = [statement for statement in statements if statement["Action"] == "lambda:InvokeFunction"]
    allowed = {resource["!GetAtt"].removesuffix(".Arn") for resource in invoke["Resource"]}
    assert allowed == given | INVOKED_BEFORE_AN_UPGRADE.get(name, set())


def test_sections_of_the_template_are_in_order() -> None:
    order = ["Metadata", "Parameters", "Conditions", "Globals", "Resources", "Outputs"]
    assert [section for section in TEMPLATE if section in order] == order
    assert set(TEMPLATE) - set(order) == {"AWSTemplateFormatVersion", "Transform", "Description"}


def test_every_parameter_has_a_label_and_a_place_in_one_group() -> None:
    """The groups are in the order of the parameters, which is the order in which `sam deploy --guided` asks."""
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert grouped == list(TEMPLATE["Parameters"]) == list(interface["ParameterLabels"])
    labels = [*interface["ParameterGroups"], *({"Label": label} for label in interface["ParameterLabels"].values())]
    assert all(label["Label"]["default"] for label in labels)


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
def test_parameters_and_outputs_are_described(section: str) -> None:
    for name, described in TEMPLATE[section].items():
        assert described["Description"].strip().endswith("."), name


@pytest.mark.parametrize("kind", ["AWS::Serverless::Function", "AWS::Serverless::StateMachine"])
def test_everything_that_logs_has_a_log_group_with_retention(kind: str) -> None:
    groups = of_type("AWS::Logs::LogGroup")
    for name, own in of_type(kind).items():
        assert groups[log_group(own)]["RetentionInDays"] == {"!Ref": "LogRetentionDays"}, name


def log_group(own: dict[str, Any]) -> str:
    """Return the logical id of the log group that a function or a state machine writes to."""
    if "Logging" in own:
        (destination,) = own["Logging"]["Destinations"]
        return str(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["!GetAtt"]).removesuffix(".Arn")
    logging = own.get("LoggingConfig", TEMPLATE["Globals"]["Function"]["LoggingConfig"])
    return str(logging["LogGroup"]["!Ref"])


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_asks_for_exactly_the_packages_it_imports(name: str) -> None:
    imported = {DISTRIBUTIONS[module] for module in imported_by(name) if module in DISTRIBUTIONS}
    assert asked_for(f"functions/{name}") == (imported | LATER.get(name, set())) - asked_for("layer")


def asked_for(folder: str) -> set[str]:
    """The packages that a folder needs by itself; those of the layer are there for every function."""
    return set(needs()[folder])


def imported_by(function: str) -> set[str]:
    """The top-level modules that loading a handler imports, in a process of its own."""
    program = "import sys, app; print(' '.join({name.partition('.')[0] for name in sys.modules}))"
    variables = {f"OPTIMIZER_{name}": "x" for name in ("TABLE", "BUCKET", "TOPIC_ARN", "POLICY_KEY")}
    environment = {
        **variables,
        "OPTIMIZER_SCHEDULE_GROUP": "x",
        "OPTIMIZER_SCHEDULE_ROLE_ARN": "x",
        "OPTIMIZER_SCHEDULE_DEAD_LETTERS_ARN": "x",
        "OPTIMIZER_WARM_FUNCTION_ARN": "x",
        "OPTIMIZER_PROVISION_FUNCTION_ARN": "x",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions" / function), str(ROOT / "layer")]),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_every_schedule_has_a_valid_request() -> None:
    (machine,) = [m for m in of_type("AWS::Serverless::StateMachine").values() if "optimize" in m["DefinitionUri"]]
    asked = {name: RunRequest.read(json.loads(e["Properties"]["Input"])) for name, e in machine["Events"].items()}
    assert asked["Daily"] == RunRequest(("warmups", "provisioned_concurrency"), None, "daily")
    assert asked["Weekly"] == RunRequest(("memory", "indexes", "cache_ttls"), None, "weekly")
    assert asked["Monthly"] == RunRequest(None, None, "monthly review", review=True)
    assert asked["Warmups"] == RunRequest(("warmups",), None, "schedule of warm-ups", only_automatic=True)


@pytest.mark.parametrize(("key", "role"), [("ApprovalKey", "RequestApprovalRole"), ("ReportKey", "PublishResultsRole")])
def test_no_role_but_one_can_sign_links(key: str, role: str) -> None:
    """Broad roles have kms:GenerateMac on every key of an account: the key's own policy denies it to them."""
    (denied,) = [one for one in RESOURCES[key]["Properties"]["KeyPolicy"]["Statement"] if one["Effect"] == "Deny"]
    assert (denied["Principal"], denied["Action"]) == ("*", "kms:GenerateMac")
    assert denied["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": {"!GetAtt": f"{role}.Arn"}}}
    signers = [
        one for one in permissions() if "kms:GenerateMac" in one.actions and {"!GetAtt": f"{key}.Arn"} in one.resources
    ]
    assert [RESOURCES[one.holder]["Properties"]["Roles"] for one in signers] == [[{"!Ref": role}]]


def test_the_scheduler_takes_a_role_for_one_group_only() -> None:
    """EventBridge Scheduler guide, "Confused deputy prevention": the group's ARN is the source."""
    groups = {}
    for name, role in of_type("AWS::IAM::Role").items():
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        if trust["Principal"] == {"Service": "scheduler.amazonaws.com"}:
            groups[name] = trust["Condition"]["StringEquals"]["aws:SourceArn"]
    assert groups == {
        "WarmupScheduleRole": {"!GetAtt": "WarmupSchedules.Arn"},
        "TimetableRole": {"!GetAtt": "Timetables.Arn"},
        "RunScheduleRole": {"!GetAtt": "RunSchedules.Arn"},
    }


def test_telling_a_run_its_answer_ends_before_the_next_attempt() -> None:
    """A Lambda that began to tell a run has ended or died before another one tries."""
    assert timedelta(seconds=RESOURCES["AnswerApproval"]["Properties"]["Timeout"]) < TELLING


def test_the_rollback_outlives_the_resource_that_starts_it() -> None:
    """CloudFormation deletes the custom resource before the Lambdas that roll back."""
    standing, waiting = set[str](), ["Leaving"]
    while waiting:
        name = waiting.pop()
        if name in RESOURCES and name not in standing:
            standing.add(name)
            waiting += named_in(RESOURCES[name])
            if RESOURCES[name]["Type"] == "AWS::Serverless::Function":
                waiting += named_in(TEMPLATE["Globals"]["Function"])
    (change,) = [m for m in of_type("AWS::Serverless::StateMachine").values() if "change" in m["DefinitionUri"]]
    functions = {*named_in(change["DefinitionSubstitutions"]), "LeaveAccount"} & set(RESOURCES)
    functions = {name for name in functions if RESOURCES[name]["Type"] == "AWS::Serverless::Function"}
    policies = {
        name
        for name, policy in of_type("AWS::IAM::Policy").items()
        if functions & {role["!Ref"].removesuffix("Role") for role in policy["Roles"]}
    }
    # Whoever logs into a group that is gone makes a new one, which nobody deletes.
    logs = {log_group(RESOURCES[name]["Properties"]) for name in functions}
    assert functions | policies | logs | {"Optimize", "Approve", "Change", "Table"} <= standing


def named_in(part: Any) -> list[str]:
    """The logical ids that a part of the template may mean."""
    if isinstance(part, dict):
        return [name for inner in part.values() for name in named_in(inner)]
    if isinstance(part, list):
        return [name for inner in part for name in named_in(inner)]
    return re.findall(r"\w+", part.partition(".")[0]) if isinstance(part, str) else []
