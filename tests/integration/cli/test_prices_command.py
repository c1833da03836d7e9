"""`optimizer prices` reads AWS's price list for the application, and shows which prices count."""

from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from local_account.price_list import StandInPricing
from local_account.simulated_services import MemoryDocuments
from optimizer.store import PRICES_KEY, NoSuchDocument
from optimizer_cli.application import Application
from optimizer_cli.main import main


@dataclass
class Deployed:
    """An application whose bucket is in memory, in an account that can read prices."""

    documents: MemoryDocuments = field(default_factory=MemoryDocuments)
    pricing: StandInPricing = field(default_factory=StandInPricing)

    def prices(self, *options: str) -> Result:
        return CliRunner().invoke(main, ["prices", *options])


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    made = Deployed()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    def client(service: str, **options: Any) -> StandInPricing:
        assert (service, options) == ("pricing", {"region_name": "us-east-1"})
        return made.pricing

    monkeypatch.setattr(boto3, "client", client)
    monkeypatch.setattr(Application, "find", classmethod(lambda _cls, _stack: made))
    return made


def test_prices_say_that_no_list_was_read(deployed: Deployed) -> None:
    shown = deployed.prices()
    assert shown.exit_code == 0
    assert "x86_64: eu-central-1, 2026-09-22, AWS pricing calculator (AWS's price list was not read)" in shown.output


def test_update_stores_the_list_and_counts_with_it(deployed: Deployed) -> None:
    shown = deployed.prices("--update")
    assert shown.exit_code == 0
    assert "x86_64: eu-central-1, 2026-11-25, AWS Price List\n" in shown.output
    assert shown.output.endswith("AWS's price list of 2026-11-25 was read today and counts.\n")
    assert deployed.documents.read(PRICES_KEY)["published"] == "2026-11-25"


def test_list_that_is_not_as_documented_is_not_stored(deployed: Deployed) -> None:
    deployed.pricing.changed = {'"USD"': '"CNY"'}
    shown = deployed.prices("--update")
    assert shown.exit_code == 4
    assert "AWS's price list is not stored" in shown.output
    with pytest.raises(NoSuchDocument):
        deployed.documents.read(PRICES_KEY)
