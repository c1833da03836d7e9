"""AWS's own price list of Lambda: products of GetProducts, read strictly, and the document that is kept of them.

GetProducts (AWS Price List API) returns each product as a JSON text: `product` with its `attributes`, and `terms`,
whose `OnDemand` offers have `priceDimensions` with `beginRange`, `endRange`, `unit` and `pricePerUnit`. It is asked for
one Region and answers with some forty products; the bulk price list has them in one file with all others. Anything that
is not as documented is an error, because a wrong price is worse than an old one.
"""

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from optimizer.core import OptimizerError
from optimizer.prices.lambda_prices import ListPrices, Tier

SOURCE = "AWS Price List"
# It is read weekly. Prices of a list that could not be read for so long are no longer taken for today's.
STALE_AFTER = timedelta(days=35)
VERSION = 1
_GB_SECOND = frozenset({"lambda-gb-second", "gb-seconds", "gb-second"})
_REQUEST = frozenset({"requests", "request"})
# The group of a product (`attributes.group`), without `-ARM` at its end, to the field and the units of its price.
_GROUPS = {
    "AWS-Lambda-Requests": ("request_usd", _REQUEST),
    "AWS-Lambda-Duration": ("tiers", _GB_SECOND),
    "AWS-Lambda-Duration-Provisioned": ("provisioned_duration_usd", _GB_SECOND),
    "AWS-Lambda-Provisioned-Concurrency": ("provisioned_usd", _GB_SECOND),
    "AWS-Lambda-Storage-Duration": ("storage_usd", _GB_SECOND),
}
# Products that have no architecture, by the end of their usage type.
_SNAPSHOTS = {
    "Lambda-SnapStart-Cached-GB-S": "snapshot_cache_usd",
    "Lambda-SnapStart-Restored-GB": "snapshot_restore_usd",
}
_ARM = "-ARM"
_NEEDED = ("request_usd", "tiers")


class MalformedPriceList(OptimizerError, ValueError):
    """The price list is not as AWS documents it; the message names the product and what is wrong."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """The list prices of a Region. published: by AWS. read_at: when they were read."""

    region: str
    published: date
    read_at: datetime
    listed: Mapping[str, ListPrices]

    def is_stale(self, now: datetime) -> bool:
        """Return True if the list was read too long ago to be taken for today's."""
        return not self.read_at <= now <= self.read_at + STALE_AFTER

    def document(self) -> dict[str, Any]:
        """Return what is kept; prices are texts, exact to the last digit."""
        return {
            "version": VERSION,
            "region": self.region,
            "published": self.published.isoformat(),
            "read_at": self.read_at.isoformat(),
            "architectures": {architecture: _prices_document(one) for architecture, one in sorted(self.listed.items())},
        }

    @classmethod
    def from_document(cls, document: Any) -> "PriceList":
        """Read the stored form; raise MalformedPriceList for anything else."""
        try:
            if document["version"] != VERSION:
                raise MalformedPriceList(f"version {document['version']!r} of the stored price list is not known")
            published = date.fromisoformat(document["published"])
            read_at = datetime.fromisoformat(document["read_at"])
            if read_at.tzinfo is None:
                raise MalformedPriceList("the time at which the price list was read has no time zone")
            listed = {
                str(architecture): _checked(
                    architecture,
                    {
                        **{name: _usd(value, architecture) for name, value in one.items() if name != "tiers"},
                        "tiers": tuple(
                            Tier(None if end is None else _amount(end, architecture), _usd(usd, architecture))
                            for end, usd in one["tiers"]
                        ),
                    },
                    published,
                )
                for architecture, one in document["architectures"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, MalformedPriceList):
                raise
            raise MalformedPriceList(f"the stored price list is damaged: {error!r}") from error
        return cls(str(document["region"]), published, read_at, listed)


def price_list_of(products: Iterable[str], region: str, now: datetime) -> PriceList:
    """Return the prices of a Region from the texts of its products; raise MalformedPriceList.

    Products of other kinds (Lambda@Edge, event source mappings, ...) are left out."""
    found: dict[str, dict[str, Any]] = {"x86_64": {}, "arm64": {}}
    published: date | None = None
    for text in products:
        try:
            offer = json.loads(text)
            attributes = offer["product"]["attributes"]
            group, usage = attributes.get("group", ""), attributes.get("usagetype", "")
            at = date.fromisoformat(offer["publicationDate"][:10])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedPriceList(f"a product of the price list cannot be read: {error!r}") from error
        published = max(published or at, at)
        known = _GROUPS.get(group.removesuffix(_ARM))
        snapshot = next((name for end, name in _SNAPSHOTS.items() if usage.endswith(end)), None)
        if (known is None and snapshot is None) or "Edge" in usage:
            continue
        if attributes.get("regionCode") != region:
            raise MalformedPriceList(f"{usage} is of {attributes.get('regionCode')!r}, not of {region}")
        tiers = _tiers(offer, usage, known[1] if known else None)
        if known is None:
            for prices in found.values():
                _put(prices, str(snapshot), tiers, usage)
        else:
            _put(found["arm64" if group.endswith(_ARM) else "x86_64"], known[0], tiers, usage)
    if published is None:
        raise MalformedPriceList(f"the price list has no product of {region}")
    listed = {
        architecture: _checked(architecture, prices, published)
        for architecture, prices in found.items()
        if any(name in prices for name in _NEEDED)
    }
    if "x86_64" not in listed:
        raise MalformedPriceList(f"the price list has no price of a call on x86_64 in {region}")
    return PriceList(region, published, now, listed)


def _tiers(offer: Mapping[str, Any], usage: str, units: frozenset[str] | None) -> tuple[Tier, ...]:
    """Return the prices of a product by amount; raise MalformedPriceList unless they cover every amount once."""
    try:
        (term,) = offer["terms"]["OnDemand"].values()
        dimensions = sorted(term["priceDimensions"].values(), key=lambda one: _amount(one["beginRange"], usage))
        found, begin = [], Decimal(0)
        for one in dimensions:
            if units is not None and one["unit"].lower() not in units:
                raise MalformedPriceList(f"{usage} is priced by {one['unit']!r}")
            if _amount(one["beginRange"], usage) != begin:
                raise MalformedPriceList(f"{usage} has no price from {begin} on")
            if set(one["pricePerUnit"]) != {"USD"}:
                raise MalformedPriceList(f"{usage} is priced in {', '.join(sorted(one['pricePerUnit']))}, not in USD")
            end = None if one["endRange"] == "Inf" else _amount(one["endRange"], usage)
            found.append(Tier(end, _usd(one["pricePerUnit"]["USD"], usage)))
            begin = end if end is not None else Decimal("Infinity")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, MalformedPriceList):
            raise
        raise MalformedPriceList(f"the price of {usage} cannot be read: {error!r}") from error
    if not found or found[-1].up_to_gb_s is not None:
        raise MalformedPriceList(f"{usage} has no price for large amounts")
    return tuple(found)


def _put(prices: dict[str, Any], name: str, tiers: tuple[Tier, ...], usage: str) -> None:
    if name in prices:
        raise MalformedPriceList(f"{usage} is listed twice")
    if name != "tiers" and len(tiers) > 1:
        raise MalformedPriceList(f"{usage} has {len(tiers)} tiers, and one is expected")
    prices[name] = tiers if name == "tiers" else tiers[0].gb_second_usd


def _checked(architecture: str, prices: Mapping[str, Any], published: date) -> ListPrices:
    """Return the prices of an architecture; raise MalformedPriceList where a call has no price."""
    missing = [name for name in _NEEDED if not prices.get(name)]
    if missing:
        raise MalformedPriceList(f"the price list has no {' and no '.join(missing)} on {architecture}")
    tiers: tuple[Tier, ...] = prices["tiers"]
    if any(after.gb_second_usd > before.gb_second_usd for before, after in itertools.pairwise(tiers)):
        raise MalformedPriceList(f"a higher tier on {architecture} costs more than a lower one")
    return ListPrices(source=SOURCE, date=published.isoformat(), **prices)


def _prices_document(prices: ListPrices) -> dict[str, Any]:
    names = [name for name, _ in _GROUPS.values() if name != "tiers"] + list(_SNAPSHOTS.values())
    known = {name: str(getattr(prices, name)) for name in names if getattr(prices, name) is not None}
    tiers = [
        [None if tier.up_to_gb_s is None else str(tier.up_to_gb_s), str(tier.gb_second_usd)] for tier in prices.tiers
    ]
    return {**known, "tiers": tiers}


def _usd(text: Any, what: str) -> Decimal:
    usd = _amount(text, what)
    if not 0 < usd < 1:
        raise MalformedPriceList(f"{text!r} USD cannot be the price of {what}")
    return usd


def _amount(text: Any, what: str) -> Decimal:
    try:
        if not isinstance(text, str):
            raise MalformedPriceList(f"{text!r} in {what} is no text")
        amount = Decimal(text)
    except InvalidOperation as error:
        raise MalformedPriceList(f"{text!r} in {what} is no number") from error
    if not amount.is_finite():
        raise MalformedPriceList(f"{text!r} in {what} is no number")
    return amount
