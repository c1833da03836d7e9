"""The application's own table and bucket: runs, changes, approvals, pings, plans, documents."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "account_prices": (
            "PRICES_KEY",
            "USAGE_KEY",
            "prices_of_account",
        ),
        "documents": (
            "Documents",
            "NoSuchDocument",
        ),
        "errors": (
            "NoSuchChange",
            "NoSuchRun",
            "Overtaken",
        ),
        "event_sources": (
            "EventSources",
            "listed_event_sources",
            "write_event_sources",
        ),
        "index_builds": ("ActingRecords",),
        "looks": (
            "FunctionLook",
            "read_looks",
            "read_remembered",
            "write_looks",
        ),
        "pings": ("PingLog",),
        "price_reading": (
            "PRICE_LIST_REGION",
            "PriceListNotRead",
            "age_of_prices",
            "read_price_list",
            "update_price_list",
        ),
        "proposals": (
            "Proposals",
            "read_postponed",
        ),
        "ready_versions": (
            "ReadyVersions",
            "VersionReadiness",
        ),
        "replaced_sizes": ("ReplacedSizes",),
        "run_store": ("RunStore",),
        "run_table": ("RunTable",),
        "warmup_plans": (
            "KeptWarm",
            "PlansInPlace",
        ),
    },
)
