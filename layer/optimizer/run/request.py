"""The input of a run: which tuners and resources it is about. It is read strictly, each error with its place. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from optimizer.core import FUNCTION_TUNERS, OptimizerError, Tuner, printable_name, short_json
from optimizer.policy import Mode, Policy

TUNERS = tuple(tuner.value for tuner in Tuner)
_FIELDS = frozenset({"tuners", "functions", "databases", "reason", "only_automatic", "review"})
# A state machine that starts this one adds this field to the input.
_STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"


class UnusableRequest(OptimizerError, ValueError):
    """The input of the execution cannot be used; the message names the field and the reason."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The input of a run. None means all; a request that names functions or databases means those alone.

    `only_automatic`: skip what needs approval or is only recommended, so that a frequent run does not send the same
    request or message every few hours. `review`: only report on the last quarter."""

    tuners: tuple[str, ...] | None
    functions: tuple[str, ...] | None
    reason: str
    only_automatic: bool = False
    databases: tuple[str, ...] | None = None
    review: bool = False

    @classmethod
    def read(cls, document: Any) -> "RunRequest":
        """Read the input of the execution. Raise UnusableRequest, which names the first wrong field."""
        if not isinstance(document, dict):
            raise UnusableRequest(f"it must be an object {{...}}, not {short_json(document)}")
        # A misspelt field would otherwise mean all tuners, or all functions.
        unknown_fields = set(document) - _FIELDS - {_STARTED_BY}
        if unknown_fields:
            raise UnusableRequest(f"{_names(unknown_fields)} is not known; known: {', '.join(sorted(_FIELDS))}")
        tuners = _texts(document, "tuners")
        unknown = set(tuners or ()) - set(TUNERS)
        if unknown:
            raise UnusableRequest(f"tuners: {_names(unknown)} is not one of {', '.join(TUNERS)}")
        reason = document.get("reason", "")
        if not isinstance(reason, str):
            raise UnusableRequest("reason: must be a text")
        request = cls(
            tuners,
            _texts(document, "functions"),
            reason,
            _flag(document, "only_automatic"),
            _texts(document, "databases"),
            _flag(document, "review"),
        )
        request._require_one_meaning()
        return request

    def under(self, policy: Policy) -> "RunRequest":
        """Return the request as this policy allows it: with `only_automatic`, only tuners whose mode is `auto`.

        Raise UnusableRequest for a database that the policy does not contain."""
        known = [database.name for database in policy.indexes.databases]
        unknown = set(self.databases or ()) - set(known)
        if unknown:
            contains = f"only {', '.join(known)}" if known else "no databases"
            raise UnusableRequest(
                f"databases: {_names(unknown)} is not in the policy; its indexes.databases has {contains}"
            )
        if not self.only_automatic:
            return self
        from optimizer.policy import modes_of

        return replace(self, tuners=tuple(t for t in self.tuners or TUNERS if Mode.AUTO in modes_of(policy, t)))

    @property
    def is_idle(self) -> bool:
        """Return True if there is nothing that the run could check."""
        return not (self.wants_functions() or self.wants(Tuner.INDEXES) or self.wants(Tuner.CACHE_TTLS))

    def wants_functions(self) -> bool:
        """Return True if a requested tuner checks functions."""
        return any(self.wants(tuner) for tuner in FUNCTION_TUNERS)

    def wants(self, tuner: str) -> bool:
        """Return True if the tuner is requested and has resources to check."""
        return tuner in (TUNERS if self.tuners is None else self.tuners) and self._has_resources(tuner)

    def _has_resources(self, tuner: str) -> bool:
        if self.functions is None and self.databases is None:
            return True
        named = self.functions if tuner in FUNCTION_TUNERS else self.databases
        return named is not None and tuner != Tuner.CACHE_TTLS

    def _require_one_meaning(self) -> None:
        """Raise UnusableRequest where two fields contradict each other: one of them would be dropped without a word."""
        if self.review and (self.tuners, self.functions, self.databases) != (None, None, None):
            raise UnusableRequest("review: a review reports on everything; leave tuners, functions and databases out")
        if self.tuners is None:
            return
        for field, tuners in (("functions", FUNCTION_TUNERS), ("databases", (Tuner.INDEXES,))):
            if getattr(self, field) is not None and set(tuners).isdisjoint(self.tuners):
                raise UnusableRequest(f"{field}: none of the tuners ({', '.join(self.tuners)}) checks {field}")
        left_over = [tuner for tuner in self.tuners if not self._has_resources(tuner)]
        if left_over:
            raise UnusableRequest(
                f"tuners: {', '.join(left_over)} would check nothing; a run that names functions or databases checks "
                "those alone"
            )


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(printable_name, sorted(names)))


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise UnusableRequest(f"{name}: must be true or false")
    return value


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    values = document.get(name)
    if values is None:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UnusableRequest(f"{name}: must be a list of texts")
    if not values:
        raise UnusableRequest(f"{name}: an empty list would check nothing; leave the field out for all")
    return tuple(values)
