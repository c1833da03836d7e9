"""Plan the warm-ups of one batch of functions: read their live state and propose a change for each."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from optimizer.aws import EventBridgeSchedulerClient, LambdaClient, at_once, configuration_of, refuses_pings
from optimizer.core import Change, NoChange, OptimizerError, Ping, Tuner, is_asked, minute_of, ping_advice
from optimizer.function_logs import FunctionHistory
from optimizer.policy import Policy, Warmups, settings_of_function, with_overrides_named
from optimizer.prices import LambdaPrices
from optimizer.store import Documents, FunctionLook, NoSuchDocument, Proposals, prices_of_account, read_looks
from optimizer.traffic import BatchHistories, FunctionTraffic, History
from optimizer.warmups import schedules
from optimizer.warmups.already_provisioned import ProvisionedHours
from optimizer.warmups.event_sources import event_sources_of_run, why_nobody_waits
from optimizer.warmups.init_times import LearntFacts, learn_from_reports
from optimizer.warmups.occasions import occasions_of
from optimizer.warmups.plan_value import PingRates
from optimizer.warmups.propose import USUAL_ADVICE, WarmupFacts, propose_warmups

if TYPE_CHECKING:
    from optimizer.store import VersionReadiness
    from optimizer.warmups.effect.verified_effect import VerifiedPlans

_log = logging.getLogger(__name__)
# Environments of earlier pings are gone.
_SENT_MINUTES = 60


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
    ready_version: "Callable[[str, str], VersionReadiness | None]",
) -> Proposals:
    """Return proposals for all functions whose traffic was analysed. Functions that failed before stay failed.

    pings_between: `(function name, first minute, end minute)`. ready_version: what is known of `(function name,
    version)`."""
    policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
    document = documents.read(f"runs/{run_id}/batches/{batch}.json")
    if not is_asked(document, Tuner.WARMUPS):
        return Proposals()
    targets = {target["function_name"]: target for target in document["functions"]}
    traffic = documents.read(f"runs/{run_id}/traffic/{batch}.json")
    result = Proposals(failed={targets[name]["function_arn"]: why for name, why in traffic["failed"].items()})

    looks = read_looks(documents, batch, run_id)
    is_pinged = any(target["warmup_ready"] for target in document["functions"])
    reading = _Reading(
        lambda_,
        scheduler,
        documents,
        group,
        policy.warmups,
        prices_of_account(policy, documents, now),
        ready_version,
        event_sources_of_run(lambda_, documents, run_id) if is_pinged else {},
        pings_between,
        minute_of(now),
    )

    histories = BatchHistories.read(documents, run_id, batch)
    deciding = _Deciding(reading, histories, policy, run_id, minute_of(now), targets, traffic, looks)
    # While some functions are read, another one is decided about.
    for name, decision in zip(traffic["functions"], at_once(deciding.decide, traffic["functions"]), strict=True):
        if isinstance(decision, TargetUnusable):
            result.failed[targets[name]["function_arn"]] = str(decision)
        else:
            result.add(decision)
    return result


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


@dataclass(frozen=True, slots=True)
class _Reading:
    """The places that the live state of a function is read from."""

    lambda_: "LambdaClient"
    scheduler: "EventBridgeSchedulerClient"
    documents: Documents
    group: str
    policy: Warmups
    prices: LambdaPrices
    ready_version: "Callable[[str, str], VersionReadiness | None]"
    event_sources: Mapping[str, Sequence[str]]
    pings_between: Callable[[str, int, int], Iterable[Ping]]
    now_minute: int

    def facts(self, target: Mapping[str, Any], look: FunctionLook | None) -> WarmupFacts:
        """Return the live state of a function; raise TargetUnusable."""
        name, alias, arn = target["function_name"], target["alias"], target["function_arn"]
        if look is None or look.alias != alias or not look.version:
            look = _look(self.lambda_, name, alias, with_reserved=bool(target["warmup_ready"]))
        present, plans = schedules.schedules_in_place(self.scheduler, self.group, arn)
        if look.provisioned:
            provisioned: ProvisionedHours | None = ProvisionedHours.from_document(look.provisioned)
        else:
            provisioned = _provisioned(self.lambda_, self.documents, name, alias, plans)
        return WarmupFacts(
            memory_mb=look.memory_mb,
            architecture=look.architecture,
            rates=PingRates.of(self.prices, arn.split(":")[3], look.architecture),
            warmup_ready=bool(target["warmup_ready"]),
            schedules=len(present),
            plans=tuple(sorted({schedule.plan for schedule in present})),
            provisioned=provisioned,
            refuses_pings=look.refuses_pings or self._no_pings(target, look),
            ping_advice=look.ping_advice or USUAL_ADVICE,
            reserved=look.reserved,
            sent=self._sent(name, present),
        )

    def _sent(self, name: str, present: "Sequence[schedules.Scheduled]") -> tuple[tuple[int, int], ...]:
        """Return the pings of the last minutes and of the next one: (minute since 1970, environments). Functions
        without scheduled pings had none lately, or only the last ones of a plan that ended."""
        if not present:
            return ()
        now = self.now_minute
        sent = [(ping.at_minute, ping.environments) for ping in self.pings_between(name, now - _SENT_MINUTES, now)]
        return (*sent, *((due.minute, due.environments) for due in present if now <= due.minute <= now + 1))

    def again(self, live: WarmupFacts, target: Mapping[str, Any]) -> WarmupFacts:
        """Return the facts with what the function is now; raise TargetUnusable."""
        look = _look(self.lambda_, target["function_name"], target["alias"], with_reserved=bool(target["warmup_ready"]))
        return replace(
            live,
            memory_mb=look.memory_mb,
            architecture=look.architecture,
            rates=PingRates.of(self.prices, target["function_arn"].split(":")[3], look.architecture),
            refuses_pings=look.refuses_pings or self._no_pings(target, look),
            reserved=look.reserved,
        )

    def _no_pings(self, target: Mapping[str, Any], look: FunctionLook) -> str:
        """Return why a function that is tagged for pings gets none; empty if it may."""
        name = target["function_name"]
        if pattern := next((one for one in self.policy.exclude if fnmatchcase(name, one)), ""):
            return f"warmups.exclude of the policy names {pattern}"
        if not target["warmup_ready"]:
            return ""
        if look.reserved == 0:
            return "its reserved concurrency is 0"
        if look.reserved == 1:
            return "its reserved concurrency is 1, which a ping would take from its callers"
        if not any(fnmatchcase(name, one) for one in self.policy.include_consumers):
            qualifiers = (target["alias"], look.version)
            if reason := why_nobody_waits(self.event_sources, target["function_arn"], qualifiers):
                return reason
        known = self.ready_version(name, look.version)
        return known.obstacle if known is not None and not known.is_ready else ""


@dataclass(frozen=True, slots=True)
class _Deciding:
    """Decides about the functions of a batch. minute: that of now. traffic: the document of the batch's analysis.
    targets, looks: by name."""

    reading: _Reading
    histories: BatchHistories
    policy: Policy
    run_id: str
    minute: int
    targets: Mapping[str, Mapping[str, Any]]
    traffic: Mapping[str, Any]
    looks: Mapping[str, FunctionLook]

    def decide(self, name: str) -> Change | NoChange | TargetUnusable:
        """Read a function and decide about its pings."""
        look, documents = self.looks.get(name), self.reading.documents
        try:
            live = self.reading.facts(self.targets[name], look)
        except TargetUnusable as error:
            return error
        lines, history = _report_history(documents, name), self.histories.history(name)
        decision = self._propose(name, live, lines, history)
        if isinstance(decision, Change) and look is not None and not look.is_live:
            # No change is proposed from memory.
            try:
                read = self.reading.again(live, self.targets[name])
            except TargetUnusable as error:
                return error
            decision = decision if read == live else self._propose(name, read, lines, history)
        return decision

    def _propose(self, name: str, live: WarmupFacts, lines: FunctionHistory, history: History) -> Change | NoChange:
        tags = self.targets[name]["tags"]
        limits = settings_of_function(self.policy, name, tags).warmups
        learnt = learn_from_reports(lines, live.memory_mb, limits.keep_alive_minutes)
        days = occasions_of(self.policy, name, tags)
        verified = self._verified(name, live, lines, history, learnt)
        analysed = FunctionTraffic.from_document(self.traffic["functions"][name])
        decided = propose_warmups(self.run_id, analysed, history, live, limits, self.minute, learnt, days, verified)
        return with_overrides_named(decided, self.policy, name, tags)

    def _verified(
        self, name: str, live: WarmupFacts, lines: FunctionHistory, history: History, learnt: LearntFacts
    ) -> "VerifiedPlans | None":
        """Return what the pings of a function avoided; None if nothing tells."""
        if not live.warmup_ready:
            return None
        from optimizer.warmups.effect.verify import EffectMeasure

        measure = EffectMeasure(self.reading.documents, self.reading.pings_between)
        return measure.verify(name, live, lines, history, learnt)


def _look(lambda_: "LambdaClient", name: str, alias: str, *, with_reserved: bool) -> FunctionLook:
    """Read the function with calls of GetFunction, which has a quota of its own.

    with_reserved: what is reserved is part of the function, not of a version or alias."""
    reserved = None
    try:
        configuration = configuration_of(lambda_.get_function(FunctionName=name, Qualifier=alias))
        if with_reserved:
            whole = lambda_.get_function(FunctionName=name)
            reserved = (whole.get("Concurrency") or {}).get("ReservedConcurrentExecutions")
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
        version=configuration["Version"],
        reserved=reserved,
    )
