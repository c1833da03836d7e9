"""Plan the warm-ups of one batch of functions: read their live state and propose a change for each."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import EventBridgeSchedulerClient, LambdaClient, at_once, configuration_of, refuses_pings
from optimizer.core import Change, NoChange, OptimizerError, Ping, Tuner, is_asked, minute_of, ping_advice
from optimizer.function_logs import FunctionHistory
from optimizer.policy import Policy
from optimizer.store import Documents, FunctionLook, NoSuchDocument, Proposals, read_looks
from optimizer.traffic import FunctionTraffic, History, stored_history
from optimizer.warmups import schedules
from optimizer.warmups.already_provisioned import ProvisionedHours
from optimizer.warmups.init_times import learn_from_reports
from optimizer.warmups.occasions import occasions_of
from optimizer.warmups.propose import USUAL_ADVICE, WarmupFacts, propose_warmups
from optimizer.warmups.verify import Verifier

_log = logging.getLogger(__name__)


class TargetUnusable(OptimizerError, RuntimeError):
    """The live state of a function cannot be read. The message is one sentence for the report."""


def plan_batch(
    lambda_: "LambdaClient",
    scheduler: "EventBridgeSchedulerClient",
    documents: Documents,
    pings_between: Callable[[str, int, int], Iterable[Ping]],
    group: str,
    run_id: str,
    batch: str,
    now: datetime,
) -> Proposals:
    """Return proposals for all functions whose traffic was analysed. Functions that failed before stay failed.

    pings_between: `(function name, first minute, end minute)`."""
    policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
    document = documents.read(f"runs/{run_id}/batches/{batch}.json")
    if not is_asked(document, Tuner.WARMUPS):
        return Proposals()
    targets = {target["function_name"]: target for target in document["functions"]}
    traffic = documents.read(f"runs/{run_id}/traffic/{batch}.json")
    result = Proposals(failed={targets[name]["function_arn"]: why for name, why in traffic["failed"].items()})

    looks = read_looks(documents, batch, run_id)

    verifier = Verifier(documents, pings_between)

    def read_one(name: str) -> tuple[WarmupFacts, FunctionHistory, History] | TargetUnusable:
        try:
            live = _live(lambda_, scheduler, documents, group, targets[name], looks.get(name))
        except TargetUnusable as error:
            return error
        return live, _report_history(documents, name), stored_history(documents, name)

    for name, known in zip(traffic["functions"], at_once(read_one, traffic["functions"]), strict=True):
        if isinstance(known, TargetUnusable):
            result.failed[targets[name]["function_arn"]] = str(known)
            continue
        live, lines, history = known
        analysed = FunctionTraffic.from_document(traffic["functions"][name])

        def propose(
            live: WarmupFacts,
            analysed: FunctionTraffic = analysed,
            history: History = history,
            lines: FunctionHistory = lines,
        ) -> Change | NoChange:
            learnt = learn_from_reports(lines, live.memory_mb, policy.warmups.keep_alive_minutes)
            days = occasions_of(policy, analysed.function_name, targets[analysed.function_name]["tags"])
            verified = verifier.verify(analysed.function_name, live, lines, history, learnt)
            return propose_warmups(
                run_id, analysed, history, live, policy.warmups, minute_of(now), learnt, days, verified
            )

        decision = propose(live)
        if isinstance(decision, Change) and name in looks and not looks[name].is_live:
            # No change is proposed from memory.
            try:
                read = _read_again(lambda_, live, targets[name])
            except TargetUnusable as error:
                result.failed[targets[name]["function_arn"]] = str(error)
                continue
            decision = decision if read == live else propose(read)
        result.add(decision)
    return result


def _read_again(lambda_: "LambdaClient", live: WarmupFacts, target: Mapping[str, Any]) -> WarmupFacts:
    """Return the facts with what the function is now."""
    look = _look(lambda_, target["function_name"], target["alias"])
    return replace(live, memory_mb=look.memory_mb, architecture=look.architecture, refuses_pings=look.refuses_pings)


def _report_history(documents: Documents, function_name: str) -> FunctionHistory:
    """Return the history of REPORT lines that plan_capacity stored; an empty one if there is none or it is damaged."""
    try:
        return FunctionHistory.from_document(documents.read(f"history/capacity/{function_name}.json"))
    except NoSuchDocument:
        return FunctionHistory()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _log.warning("The history of REPORT lines of %s cannot be read: %r", function_name, error)
        return FunctionHistory()


def _provisioned(
    lambda_: "LambdaClient", documents: Documents, function_name: str, alias: str, plans: frozenset[str]
) -> ProvisionedHours | None:
    """Return the provisioned concurrency of the hours ahead; None if unknown.

    plan_capacity looks once a day. What it found is compared with the timetables in place (`plans`) and, where
    something was provisioned, with what the alias holds now: otherwise a rollback would leave a day without pings."""
    known = _provisioned_before(documents, function_name)
    if known is None or not known.may_have_changed(plans):
        return known
    try:
        held = lambda_.get_provisioned_concurrency_config(FunctionName=function_name, Qualifier=alias)
    except ClientError as error:
        code = error.response["Error"].get("Code", "?")
        if code != "ProvisionedConcurrencyConfigNotFoundException":
            _log.warning("The provisioned concurrency of %s cannot be read: %s", function_name, code)
            return known
        return known.now(0, plans)
    return known.now(held["RequestedProvisionedConcurrentExecutions"], plans)


def _provisioned_before(documents: Documents, function_name: str) -> ProvisionedHours | None:
    """Return the provisioned concurrency by the hour as plan_capacity last found it; None if unknown."""
    try:
        return ProvisionedHours.from_document(documents.read(f"history/capacity/{function_name}.provisioned.json"))
    except NoSuchDocument:
        return None
    except (KeyError, TypeError, ValueError) as error:
        _log.warning("The provisioned hours of %s cannot be read: %r", function_name, error)
        return None


def _live(
    lambda_: "LambdaClient",
    scheduler: "EventBridgeSchedulerClient",
    documents: Documents,
    group: str,
    target: Mapping[str, Any],
    look: FunctionLook | None,
) -> WarmupFacts:
    name, alias = target["function_name"], target["alias"]
    if look is None or look.alias != alias:
        look = _look(lambda_, name, alias)
    present, plans = schedules.schedules_in_place(scheduler, group, target["function_arn"])
    if look.provisioned:
        provisioned: ProvisionedHours | None = ProvisionedHours.from_document(look.provisioned)
    else:
        provisioned = _provisioned(lambda_, documents, name, alias, plans)
    return WarmupFacts(
        memory_mb=look.memory_mb,
        architecture=look.architecture,
        warmup_ready=bool(target["warmup_ready"]),
        schedules=len(present),
        plans=tuple(sorted({schedule.plan for schedule in present})),
        provisioned=provisioned,
        refuses_pings=look.refuses_pings,
        ping_advice=look.ping_advice or USUAL_ADVICE,
    )


def _look(lambda_: "LambdaClient", name: str, alias: str) -> FunctionLook:
    """Read the function; GetFunction has a quota of its own."""
    try:
        configuration = configuration_of(lambda_.get_function(FunctionName=name, Qualifier=alias))
    except ClientError as error:
        code = error.response["Error"].get("Code", "?")
        if code == "ResourceNotFoundException":
            raise TargetUnusable(
                f"function {name} has no alias {alias}; create it, or tag the function optimizer:alias"
            ) from error
        if code == "AccessDeniedException":
            raise TargetUnusable(
                f"function {name} does not have the tag that the stack's rights ask for, or no alias {alias}"
            ) from error
        raise TargetUnusable(f"function {name} cannot be read: {code}") from error
    architecture = configuration["Architectures"][0]
    return FunctionLook(
        alias,
        configuration["MemorySize"],
        architecture,
        refuses_pings(configuration),
        ping_advice=ping_advice(configuration),
    )
