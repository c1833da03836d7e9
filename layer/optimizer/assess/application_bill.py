"""The bill of the application itself, by the size of the fleet. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from optimizer.assess.facts import DAYS_A_MONTH
from optimizer.policy import USUAL_INIT_MS
from optimizer.prices import aws_lambda, services
from optimizer.run import BATCH
from optimizer.warmups import HOLD_MS, PingRates, pings_usd

# Counted in template.yaml; tests hold them.
KMS_KEYS, ALARMS, CUSTOM_METRICS = 3, 11, 11
# Runs a month of the schedules, as template.yaml has them. Those for warm-ups alone read nothing unless warm-ups are
# automatic.
DAILY_RUNS, WEEKLY_RUNS, WARMUP_RUNS = DAYS_A_MONTH, DAYS_A_MONTH / 7, 3 * DAYS_A_MONTH
# Metrics of a function that a run after the first one is billed for: calls by the minute; errors, concurrency and, with
# two statistics at the price of one, durations by the hour; for functions with bursts their concurrency by the minute.
METRICS_A_RUN = 5
# Measured by bench/fleet for a daily run over 1,000 functions: GB-seconds of all Lambdas, which also wait for quotas.
GB_S_A_FUNCTION, GB_S_A_RUN = 1.5, 10.0
# States entered by a run, for each batch, and for each applied change with its observation.
TRANSITIONS_A_RUN, TRANSITIONS_A_BATCH, TRANSITIONS_A_CHANGE = 30, 12, 40
# Objects of a function that a run writes (history, lines, provisioned hours, page, numbers) and reads.
PUTS_A_FUNCTION, GETS_A_FUNCTION = 4, 7
KB_A_FUNCTION = 150
WRITES_A_FUNCTION, READS_A_FUNCTION = 4, 4
LAMBDAS_A_RUN, LAMBDAS_A_BATCH, LOG_KB_A_CALL = 8, 4, 4
# A look at a database or a cache, once a week.
SERVER_GB_S = 60.0
# The usual function that pings keep warm.
_PING_MEMORY_MB = 512


@dataclass(frozen=True, slots=True)
class Use:
    """A fleet and how the application is used. log_mb_day: log of a function a day, as far as runs scan it. pings_day:
    pings of all functions. changes_month: applied changes."""

    functions: int
    databases: int = 0
    caches: int = 0
    log_mb_day: float = 2.0
    pings_day: float = 0.0
    changes_month: float = 0.0
    warmup_runs: bool = False

    @property
    def batches(self) -> int:
        """The batches of a run."""
        return math.ceil(self.functions / BATCH)

    @property
    def runs(self) -> float:
        """The runs a month."""
        return DAILY_RUNS + WEEKLY_RUNS + (WARMUP_RUNS if self.warmup_runs else 0.0)


def own_bill(use: Use) -> Mapping[str, float]:
    """Return the USD a month by item."""
    return MappingProxyType(dict(_items(use)))


def total_usd_month(use: Use) -> float:
    """Return the USD a month of all items."""
    return sum(own_bill(use).values())


def _items(use: Use) -> Iterator[tuple[str, float]]:
    looks = use.functions * use.runs
    yield f"{KMS_KEYS} KMS keys", KMS_KEYS * services.KMS_KEY_MONTH_USD
    yield f"{CUSTOM_METRICS} metrics of its own", CUSTOM_METRICS * services.CUSTOM_METRIC_MONTH_USD
    yield f"{ALARMS} alarms", ALARMS * services.ALARM_MONTH_USD
    yield "reading metrics", looks * METRICS_A_RUN * services.METRIC_USD
    # What one run has read, the next does not read again.
    yield "reading logs", use.functions * use.log_mb_day * DAYS_A_MONTH * float(aws_lambda.log_scan_usd(1e6))
    yield "Lambda", _lambda_usd(use, looks)
    yield "Step Functions", _transitions(use) * services.TRANSITION_USD
    yield "S3 and DynamoDB", _stored_usd(use, looks)
    yield (
        "logs and traces of its own",
        _calls(use) * (LOG_KB_A_CALL / 1e6 * services.LOG_INGEST_GB_USD + services.TRACE_USD),
    )
    yield "warm-up pings", DAYS_A_MONTH * _pings_usd_day(use.pings_day)


def _lambda_usd(use: Use, looks: float) -> float:
    servers = (use.databases + use.caches) * WEEKLY_RUNS * (SERVER_GB_S + services.SECRET_CALL_USD)
    gb_s = looks * GB_S_A_FUNCTION + use.runs * GB_S_A_RUN + servers
    rates = services.lambda_rates()
    return gb_s * float(rates.gb_second_usd) + _calls(use) * float(rates.request_usd)


def _calls(use: Use) -> float:
    return use.runs * (LAMBDAS_A_RUN + use.batches * LAMBDAS_A_BATCH + use.databases + use.caches)


def _transitions(use: Use) -> float:
    a_run = TRANSITIONS_A_RUN + use.batches * TRANSITIONS_A_BATCH + 3 * (use.databases + use.caches)
    return use.runs * a_run + use.changes_month * TRANSITIONS_A_CHANGE


def _stored_usd(use: Use, looks: float) -> float:
    requests = PUTS_A_FUNCTION * services.S3_PUT_USD + GETS_A_FUNCTION * services.S3_GET_USD
    rows = WRITES_A_FUNCTION * services.DYNAMODB_WRITE_USD + READS_A_FUNCTION * services.DYNAMODB_READ_USD
    kept_gb = use.functions * KB_A_FUNCTION * 5 / 1e6
    return looks * (requests + rows) + kept_gb * services.S3_GB_MONTH_USD


def _pings_usd_day(pings: float) -> float:
    """Return the price of pings of one environment each, every tenth of which finds it cold."""
    if not pings:
        return 0.0
    return pings * pings_usd(
        rates=PingRates(services.lambda_rates(), services.lambda_rates()),
        memory_mb=_PING_MEMORY_MB,
        schedules=1,
        calls=1,
        cold_calls=0.1,
        hold_ms=HOLD_MS,
        init_ms=USUAL_INIT_MS,
    )


# The columns of docs/cost.md.
SIZES = (10, 100, 1000, 10_000)
# A tenth of the functions is pinged so often a day, where warm-ups are automatic.
_PINGS_A_DAY = 20


def usual_use(functions: int, databases: int = 0, caches: int = 0) -> Use:
    """Return the use that the table assumes for a fleet: a tenth of it pinged, a tenth changed a month."""
    return Use(
        functions,
        databases,
        caches,
        pings_day=functions / 10 * _PINGS_A_DAY,
        changes_month=functions / 10,
        warmup_runs=True,
    )


def cost_table() -> str:
    """Return the table of docs/cost.md, in Markdown."""
    bills = [own_bill(usual_use(size)) for size in SIZES]
    lines = ["| USD a month | " + " | ".join(f"{size:,} functions" for size in SIZES) + " |"]
    lines.append("| --- |" + " ---: |" * len(SIZES))
    lines += [f"| {item} | " + " | ".join(f"{bill[item]:,.2f}" for bill in bills) + " |" for item in bills[0]]
    sums = [sum(bill.values()) for bill in bills]
    lines.append("| **together** | " + " | ".join(f"**{total:,.2f}**" for total in sums) + " |")
    each = [f"{total / size:,.3f}" for total, size in zip(sums, SIZES, strict=True)]
    lines.append("| for each function | " + " | ".join(each) + " |")
    return "\n".join(lines) + "\n"
