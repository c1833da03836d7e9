"""A stand-in for AWS's Price List API: answers GetProducts in the documented shape, a page at a time.

Shape: AWS Billing and Cost Management API reference, GetProducts, and the offer file of AWSLambda. Prices are those of
the shipped table unless a test gives others.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from optimizer.prices import LambdaPrices, ListPrices, Tier, shipped_prices

PUBLISHED = "2026-11-25T18:04:21Z"
_PAGE = 3


@dataclass
class StandInPricing:
    """The client of the service. asked: the requests so far. changed: texts to replace in every product."""

    prices: LambdaPrices = field(default_factory=shipped_prices)
    changed: Mapping[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_products(self, **request: Any) -> dict[str, Any]:
        """Return a page of the products of a Region."""
        self.asked.append(request)
        region = next(one["Value"] for one in request["Filters"] if one["Field"] == "regionCode")
        products = list(self._products(region))
        begin = int(request.get("NextToken", "0"))
        page = {"FormatVersion": "aws_v1", "PriceList": products[begin : begin + _PAGE]}
        return {**page, "NextToken": str(begin + _PAGE)} if begin + _PAGE < len(products) else page

    def _products(self, region: str) -> Iterator[str]:
        for architecture, end in (("x86_64", ""), ("arm64", "-ARM")):
            listed = self.prices.listed.get((region, architecture))
            if listed is not None:
                for group, usage, unit, tiers in _rows(listed):
                    yield self._product(region, f"{group}{end}", f"EXP1-{usage}{end}", unit, tiers)
        yield self._product(
            region, "AWS-Lambda-Edge-Duration", "EXP1-Lambda-Edge-GB-Second", "Lambda-GB-Second", _one("0.00005001")
        )

    def _product(self, region: str, group: str, usage: str, unit: str, tiers: tuple[Tier, ...]) -> str:
        sku = f"SKU{abs(hash((region, group))):X}"[:16]
        dimensions, begin = {}, Decimal(0)
        for number, tier in enumerate(tiers):
            dimensions[f"{sku}.JRTCKXETXF.{number}"] = {
                "unit": unit,
                "beginRange": str(begin),
                "endRange": "Inf" if tier.up_to_gb_s is None else str(tier.up_to_gb_s),
                "description": f"{group} in {region}",
                "appliesTo": [],
                "rateCode": f"{sku}.JRTCKXETXF.{number}",
                "pricePerUnit": {"USD": f"{tier.gb_second_usd:.10f}"},
            }
            begin = tier.up_to_gb_s or begin
        text = json.dumps(
            {
                "product": {
                    "productFamily": "Serverless",
                    "attributes": {
                        "regionCode": region,
                        "servicecode": "AWSLambda",
                        "group": group,
                        "usagetype": usage,
                        "locationType": "AWS Region",
                    },
                    "sku": sku,
                },
                "serviceCode": "AWSLambda",
                "terms": {
                    "OnDemand": {
                        f"{sku}.JRTCKXETXF": {
                            "priceDimensions": dimensions,
                            "sku": sku,
                            "effectiveDate": "2026-11-01T00:00:00Z",
                            "offerTermCode": "JRTCKXETXF",
                            "termAttributes": {},
                        }
                    }
                },
                "version": "20261125180421",
                "publicationDate": PUBLISHED,
            }
        )
        for before, after in self.changed.items():
            text = text.replace(before, after)
        return text


def _one(usd: str | Decimal) -> tuple[Tier, ...]:
    return (Tier(None, Decimal(usd)),)


def _rows(listed: ListPrices) -> Iterator[tuple[str, str, str, tuple[Tier, ...]]]:
    """Yield group, usage type, unit and prices of each product; the last known tier has no upper end."""
    tiers = (*listed.tiers[:-1], Tier(None, listed.tiers[-1].gb_second_usd))
    yield "AWS-Lambda-Requests", "Request", "Requests", _one(listed.request_usd)
    yield "AWS-Lambda-Duration", "Lambda-GB-Second", "Lambda-GB-Second", tiers
    if listed.storage_usd is not None:
        yield "AWS-Lambda-Storage-Duration", "Lambda-Storage-GB-Second", "GB-Seconds", _one(listed.storage_usd)
    if listed.provisioned_usd is not None and listed.provisioned_duration_usd is not None:
        held, at_work = _one(listed.provisioned_usd), _one(listed.provisioned_duration_usd)
        yield "AWS-Lambda-Provisioned-Concurrency", "Lambda-Provisioned-Concurrency", "Lambda-GB-Second", held
        yield "AWS-Lambda-Duration-Provisioned", "Lambda-Provisioned-GB-Second", "Lambda-GB-Second", at_work
