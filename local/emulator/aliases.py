"""Route aliases with provisioned concurrency, and prepare versions with SnapStart, as Lambda does.

MiniStack 1.5.33 moves an alias at once and has no rule about weights.

- After UpdateAlias to another version on an alias with provisioned concurrency, Lambda itself leaves the traffic with
  the old version by weights until the new one is ready (hashicorp/terraform-provider-aws pull request 48116;
  hashicorp/terraform issue 24957): switch `alias_transition_minutes`.
- Weights of a version on itself are refused (Lambda API reference, AliasRoutingConfiguration: an additional version).
- PutProvisionedConcurrencyConfig on an alias with weights is refused (hashicorp/terraform issue 24957). The other order
  is not documented: switch `weights_beside_provisioned`.
- A change of an alias reaches EventBridge as CloudTrail's record of it, if a trail records management events
  (EventBridge User Guide, "AWS service events delivered via AWS CloudTrail"; CloudTrail names it UpdateAlias20150331):
  switch `management_trail`.
- A published version with SnapStart is Pending for minutes (Lambda Developer Guide, "Improving startup performance with
  Lambda SnapStart"): switch `snap_start_s`.
"""

import contextvars
import json
import threading
import time
from typing import Any

from ministack.core.responses import error_response_json, new_uuid
from ministack.services import eventbridge, lambda_svc
from switched import switches

type Json = dict[str, Any]


def patch() -> None:
    """Replace how the emulator routes aliases and prepares versions."""
    _route_aliases()
    _tell_eventbridge()
    _prepare_versions()


def _route_aliases() -> None:
    update, provision = lambda_svc._update_alias, lambda_svc._put_provisioned_concurrency

    def update_alias(name: str, alias_name: str, data: Json) -> Any:
        function = lambda_svc._functions.get(name) or {}
        alias = function.get("aliases", {}).get(alias_name)
        if alias is None:
            return update(name, alias_name, data)
        before, provisioned = alias["FunctionVersion"], alias_name in function.get("provisioned_concurrency", {})
        weights = (data.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        if data.get("FunctionVersion", before) in weights:
            return _refused("Alias cannot route to the same version as its additional version.")
        if weights and provisioned and switches().weights_beside_provisioned == "refused":
            return _refused("Alias with provisioned concurrency cannot have additional version weights.")
        status, headers, body = update(name, alias_name, data)
        minutes = switches().alias_transition_minutes
        if status >= 400 or not provisioned or alias["FunctionVersion"] == before or not minutes:
            return status, headers, body
        alias["RoutingConfig"] = {"AdditionalVersionWeights": {before: 1.0}}
        pool = function["provisioned_concurrency"][alias_name]
        pool["Status"] = "IN_PROGRESS"
        _later(minutes * 60, _end_transition, alias, pool, before)
        return status, headers, json.dumps(alias).encode()

    def put_provisioned_concurrency(name: str, qualifier: str, data: Json) -> Any:
        function = lambda_svc._functions.get(name) or {}
        if function.get("aliases", {}).get(qualifier, {}).get("RoutingConfig"):
            return _refused("Provisioned Concurrency Configs cannot be applied to an alias with weights.")
        return provision(name, qualifier, data)

    lambda_svc._update_alias = update_alias
    lambda_svc._put_provisioned_concurrency = put_provisioned_concurrency


def _tell_eventbridge() -> None:
    update = lambda_svc._update_alias

    def update_alias(name: str, alias_name: str, data: Json) -> Any:
        status, headers, body = update(name, alias_name, data)
        if status < 400 and switches().management_trail:
            record = {
                "eventSource": "lambda.amazonaws.com",
                "eventName": "UpdateAlias20150331",
                "requestParameters": {
                    "functionName": name,
                    "name": alias_name,
                    "functionVersion": data.get("FunctionVersion"),
                },
            }
            event = {
                "Source": "aws.lambda",
                "DetailType": "AWS API Call via CloudTrail",
                "Detail": json.dumps(record),
            }
            eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)
        return status, headers, body

    lambda_svc._update_alias = update_alias


def _end_transition(alias: Json, pool: Json, before: str) -> None:
    pool["Status"] = "READY"
    if (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") == {before: 1.0}:
        alias.pop("RoutingConfig")
        alias["RevisionId"] = new_uuid()


def _prepare_versions() -> None:
    prepare = lambda_svc._snapstart_provision_version_async

    def prepare_late(name: str, version: Json) -> None:
        _later(switches().snap_start_s, prepare, name, version)

    lambda_svc._snapstart_provision_version_async = prepare_late


def _later(seconds: float, call: Any, *arguments: Any) -> None:
    run = contextvars.copy_context().run

    def wait() -> None:
        time.sleep(seconds)
        run(call, *arguments)

    threading.Thread(target=wait, daemon=True).start()


def _refused(message: str) -> Any:
    return error_response_json("InvalidParameterValueException", message, 400)
