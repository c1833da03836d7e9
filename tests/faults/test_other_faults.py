"""Let every call to AWS of the Lambdas of databases, caches and pings go wrong once, in every way."""

from typing import Any

from local_account.cache_traffic import Application, Memory, Stream, reads
from local_account.price_list import StandInPricing
from optimizer.aws.scheduler import function_prefix
from optimizer.capacity.provisioned.amount import mark_of
from optimizer.core import canonical_json
from optimizer.core.change import Status
from optimizer.policy.model import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer.store import PRICES_KEY
from optimizer_cache import Bounds

from tests.helpers.faults.lives import RUN
from tests.helpers.faults.samples import INDEXES, PROVISIONED, database, pinged, timetable
from tests.helpers.faults.stage import NOW, REGION, Stage, Step


def test_a_ping(staged: Stage) -> None:
    pinged(staged)
    event = {
        "function_name": "orders", "alias": "live", "environments": 3, "hold_ms": 200, "run_id": RUN,
        "change_id": "warmups-0123456789abcdef", "minute": int(NOW.timestamp()) // 60,
    }  # fmt: skip
    assert staged.every_fault(Step("warm_function", event))["environments"] == 3
    (ping,) = (item for (pk, _), item in staged.table.items.items() if pk.startswith("PINGS#"))
    assert (ping["asked"], ping["failed"]) == ({"N": "3"}, {"N": "0"})


def test_a_step_of_a_timetable(staged: Stage) -> None:
    life = timetable(scaled=False, met=True)
    life.start(staged)
    staged.documents.write("policy/policy.json", PROVISIONED)
    staged.store.move(life.change.id, Status.KEPT, NOW, from_any={Status.APPROVED})
    prefix = f"{function_prefix(life.change.target)}{mark_of(life.change.id)}"
    staged.services.schedules |= {f"{prefix}-{number:02}": {} for number in (0, 1)}
    event = {"function_name": "orders", "alias": "live", "change_id": life.change.id, "entry": 0, "environments": 3}
    assert staged.every_fault(Step("provision_function", event))["environments"] == 3
    assert staged.world["twin"].provisioned["requested"] == 3


def test_a_reading_of_prices(staged: Stage) -> None:
    staged.calls.answers["GetProducts"] = lambda request: StandInPricing().get_products(**request)
    silent = {"Id": "d0", "Timestamps": [], "Values": [], "StatusCode": "Complete"}
    staged.calls.answers["GetMetricData"] = lambda _request: {"MetricDataResults": [silent]}
    assert staged.every_fault(Step("read_prices", {}))["outcome"] == "read"
    assert staged.documents.read(PRICES_KEY)["region"] == REGION


STREAM = Stream("price", Bounds(60, 1, 3600), 150, 1.0, 1.0)
CACHE = Cache("shop", 16, ("/aws/lambda/shop",), (CacheNamespace("price", 5, 900),), "/shop/cache-ttls")
TTLS = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,), observe_hours=0.5))


def test_a_plan_of_ttls(staged: Stage) -> None:
    end = NOW.timestamp()
    application = Application((STREAM,), Memory(), end - 1800)
    lines = [
        {"timestamp": round(line.at * 1000), "message": line.text}
        for line in application.run(reads((STREAM,), end - 1800, end, seed=5))
    ]

    def events(request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [line for line in lines if request["startTime"] <= line["timestamp"] <= request["endTime"]]}

    staged.calls.answers["FilterLogEvents"] = events
    staged.documents.write(f"runs/{RUN}/policy.json", canonical_json.plain(TTLS))
    answer = staged.every_fault(Step("plan_cache_ttls", {"run_id": RUN, "target": "shop"}))
    assert (answer["changes"], answer["failed"]) == (1, 0)


def test_a_plan_of_indexes(staged: Stage) -> None:
    database(staged)
    staged.documents.write(f"runs/{RUN}/policy.json", INDEXES)
    answer = staged.every_fault(Step("plan_index_maintenance", {"run_id": RUN, "target": "shop"}))
    assert (answer["changes"], answer["failed"]) == (2, 0)
