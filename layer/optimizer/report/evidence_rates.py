"""The prices behind the amounts of proposals, as their evidence names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from optimizer.prices import shipped_prices


@dataclass(frozen=True, slots=True)
class EvidenceRates:
    """The prices of a GB-second and of a request by the evidence."""

    gb_second_usd: Decimal
    request_usd: Decimal


def evidence_rates(evidence: Mapping[str, Any], function_arn: str) -> EvidenceRates | None:
    """Return the prices that evidence was made with; None where they were not known.

    Evidence of an older version names none: then the shipped ones of the function's Region count.
    """
    if prices := evidence.get("prices"):
        return EvidenceRates(Decimal(str(prices["gb_second_usd"])), Decimal(str(prices["request_usd"])))
    rates = shipped_prices().of_function(function_arn, evidence.get("architecture", "x86_64"))
    return EvidenceRates(rates.gb_second_usd, rates.request_usd) if rates else None
