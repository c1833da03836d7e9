"""What is said about a policy that somebody wrote by hand."""

import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.core import canonical_json
from optimizer.policy.check import InvalidPolicy, find_errors, parse_json, policy_schema, read_policy
from optimizer.policy.model import Approver, Cache, Database, Freeze, Policy, RunWindow, Window
from optimizer.policy.windows import window_errors, window_warnings

from tests.helpers.examples import examples


def said(document: Any) -> list[str]:
    return [str(error) for error in find_errors(document)]


def database(*, twice: bool = False, **fields: Any) -> dict[str, Any]:
    one = {"name": "orders", "engine": "postgresql", "host": "db.example", "database": "orders", **fields}
    return {"indexes": {"databases": [one, one] if twice else [one]}}


def cache(*, twice: bool = False, **fields: Any) -> dict[str, Any]:
    space = {"name": "price", "min_ttl_s": 5, "max_ttl_s": 300}
    one = {"name": "shop", "memory_mb": 64, "log_groups": ["/aws/lambda/shop"], "parameter": "/shop/cache-ttls"}
    one = {**one, "namespaces": [{**space, **fields.pop("namespace", {})}], **fields}
    other = {**one, "name": "other", "parameter": "/other/cache-ttls", "log_groups": ["/aws/lambda/other"]}
    return {"cache_ttls": {"caches": [one, {**other, **fields}] if twice else [one]}}


def test_a_cache_on_this_machine_needs_no_encryption() -> None:
    assert said({"version": 1, **cache(endpoint="redis://127.0.0.1:6379", twice=True)}) == []


def test_a_database_on_this_machine_needs_no_encryption() -> None:
    part = database(user="app", tls="off", host="::1", read_host="localhost", readers=["127.0.0.1:5433"])
    assert said({"version": 1, **part}) == []


def test_the_smallest_policy_is_the_default_policy() -> None:
    assert read_policy('{"version": 1}') == Policy()


def test_the_default_policy_written_out_is_a_valid_policy() -> None:
    document = canonical_json.plain(Policy())
    assert said(document) == []
    assert Policy.from_document(document) == Policy()


def test_every_error_is_reported_at_once() -> None:
    document = {
        "version": 2,
        "mode": "atuo",
        "memmory": {},
        "memory": {"floor_mb": 4000, "watch_minutes": [60, 15]},
        "run": {"freezes": [{"first": "2026-12-31", "last": "2026-12-01"}], "windows": [{"start": "25:00"}]},
    }
    assert said(document) == [
        "memmory: is not a known key. Did you mean memory?",
        "memory.floor_mb: 4000 is above memory.ceiling_mb, which is 3008.",
        "memory.watch_minutes[1]: 15 must be above the 60 before it.",
        'mode: must be one of "recommend", "approve", "auto", not "atuo". Did you mean "auto"?',
        "run.freezes[0].first: 2026-12-31 is after the last day, 2026-12-01.",
        'run.windows[0].start: must be a time HH:MM from 00:00 to 23:59, not "25:00".',
        "version: must be 1, not 2.",
    ]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"time_zone": "Mars/Base"}, 'time_zone: "Mars/Base" is not an IANA time zone such as Europe/Berlin or UTC.'),
        ({"memory": {"canary_weight": 1.5}}, "memory.canary_weight: must be at most 1, not 1.5."),
        ({"memory": {"headroom": 0.9}}, "memory.headroom: must be at least 1, not 0.9."),
        ({"memory": {"floor_mb": "128"}}, 'memory.floor_mb: must be a whole number, not "128".'),
        ({"memory": {"floor_mb": True}}, "memory.floor_mb: must be a whole number, not true."),
        ({"memory": []}, "memory: must be an object {...}, not []."),
        ({"warmups": {"max_usd_day": -1}}, "warmups.max_usd_day: must be at least 0, not -1."),
        (
            {"warmups": {"max_usd_day": 30, "max_usd_month": 20}},
            "warmups.max_usd_day: 30 is above warmups.max_usd_month, which is 20.",
        ),
        ({"functions": {"tags": {}}}, "functions.tags: must not be empty."),
        ({"run": {"freezes": [{"first": "2026-02-30", "last": "2026-03-01"}]}}, "is not a day of the calendar"),
        ({"run": {"freezes": [{"first": "2026-02-03"}]}}, "run.freezes[0].last: is missing."),
        ({"warmups": {"holidays": ["2026-12-25", "2026-02-30"]}}, 'warmups.holidays[1]: "2026-02-30" is not a day'),
        (
            {"warmups": {"events": [{"from": "2026-12-04T18:00", "until": "2026-12-04T17:00", "environments": 4}]}},
            "warmups.events[0].until: must be after from.",
        ),
        (
            {"warmups": {"events": [{"from": "Friday", "until": "2026-12-04T17:00", "environments": 4}]}},
            "warmups.events[0].from: must be a time YYYY-MM-DDTHH:MM",
        ),
        (
            {"warmups": {"events": [{"from": "2026-12-04T10:00", "until": "18:00", "environments": 4}]}},
            "warmups.events[0].until: must be a time YYYY-MM-DDTHH:MM, with or without an offset such as +01:00",
        ),
        (
            {"warmups": {"events": [{"from": "2026-12-34T10:00", "until": "2026-12-04T17:00", "environments": 4}]}},
            'warmups.events[0].from: "2026-12-34T10:00" is not a day of the calendar.',
        ),
        (
            {
                "time_zone": "Europe/Berlin",
                "warmups": {"events": [{"from": "2027-03-28T02:30", "until": "2027-03-29T17:00", "environments": 4}]},
            },
            "comes twice or not at all in Europe/Berlin, because clocks change; add an offset.",
        ),
        (
            {"warmups": {"always": [{"environments": 40}]}},
            "warmups.always[0].environments: 40 is above warmups.max_environments_per_function, which is 10.",
        ),
        ({"warmups": {"days": [{"on": "2026-11-27"}]}}, "warmups.days[0]: needs like or level."),
        ({"warmups": {"days": [{"on": "2026-11-31", "level": 2}]}}, 'days[0].on: "2026-11-31" is not a day'),
        ({"warmups": {"watch_minutes": [60, 60]}}, "warmups.watch_minutes[1]: 60 must be above the 60 before it."),
        ({"run": {"windows": [{"days": ["monday"]}]}}, 'Did you mean "mon"?'),
        (database(), "indexes.databases[0]: needs either secret_arn, or user for IAM authentication, but not both."),
        (database(secret_arn="arn", user="app"), "indexes.databases[0]: needs either secret_arn, or user"),
        (
            database(user="app", rds_instance="a", rds_cluster="b"),
            "may name rds_instance or rds_cluster, but not both.",
        ),
        (database(user="app", data_api_arn="arn"), "indexes.databases[0].data_api_arn: needs secret_arn"),
        (
            database(secret_arn="arn", data_api_arn="arn", engine="mysql"),
            "indexes.databases[0].data_api_arn: is for the engine postgresql only.",
        ),
        (
            database(secret_arn="arn", data_api_arn="arn", readers=["db:5432"]),
            "indexes.databases[0].readers: cannot be given with data_api_arn",
        ),
        (database(user="app", tls="off"), "indexes.databases[0].tls: may be off only if all hosts are this machine"),
        (database(user="app", tls="off", host="127.0.0.1", readers=["db:5432"]), "may be off only if all hosts"),
        (database(user="app", engine="postgres"), 'Did you mean "postgresql"?'),
        (database(user="app", ca_key="runs/ca.pem"), "ca_key: must be a key that begins with policy/, or empty"),
        (database(twice=True, user="app"), 'indexes.databases[1].name: "orders" is the name of another database too.'),
        ({"indexes": {"automatic_build_mb": 2, "max_build_mb": 1}}, "2 is above indexes.max_build_mb"),
        ({"indexes": {"actions": {"drop_unused": "auto"}}}, 'Did you mean "automatic"?'),
        (cache(parameter=""), "cache_ttls.caches[0]: needs either parameter (SSM) or app_config, but not both."),
        (cache(app_config={"application": "a", "environment": "e", "profile": "p", "strategy": "s"}), "but not both"),
        (cache(parameter="/one/cache-ttls", twice=True), "publishes its TTLs at the place of another cache"),
        (cache(name="shop", twice=True), 'cache_ttls.caches[1].name: "shop" is the name of another cache too.'),
        (cache(log_groups=["/one"], twice=True), '"price" is logged to the same group by cache_ttls.caches[0]'),
        (cache(log_groups=[]), "cache_ttls.caches[0].log_groups: must not be empty."),
        (cache(name="a b"), 'must be a name of at most 64 letters, digits and ., _ or -, not "a b".'),
        ({"approvals": {"needed": 0}}, "approvals.needed: must be at least 1, not 0."),
        ({"approvals": {"needed": 2}}, "approvals.needed: 2 is above 1, because no approvers are listed."),
        (
            {"approvals": {"approvers": [{"name": "anna"}, {"name": "ben"}], "needed": 3}},
            "approvals.needed: 3 is above the 2 listed approvers.",
        ),
        (
            {"approvals": {"approvers": [{"name": "anna"}, {"name": "Anna"}]}},
            'approvals.approvers[1].name: "Anna" is listed twice.',
        ),
        ({"approvals": {"approvers": [{"name": "a b"}]}}, "must be a name of at most 64 letters"),
        *(
            (
                {"approvals": {"approvers": [{"name": "anna"}, {"name": name}], "needed": 2}},
                f'approvals.approvers[1].name: "{name}" stands for everybody who gets the topic\'s messages.',
            )
            for name in ("anyone", "Anyone", "ANYONE")
        ),
        (cache(endpoint="redis://cache.example:6379"), "endpoint: must be rediss:// (TLS), unless"),
        (cache(endpoint="cache.example"), "endpoint: must be a URL such as rediss://HOST:6379"),
        (cache(endpoint="rediss://:secret@cache.example"), "endpoint: contains a password"),
        *(
            (cache(endpoint=f"rediss://{endpoint}"), "endpoint: is a URL with a host, a port and at most a database")
            for endpoint in (
                "h:6379?ssl_cert_reqs=none&ssl_check_hostname=false",
                "h:6379?password=s3cret&username=u",
                "h:6379/0?db=1",
                "user@h:6379",
                "h:6379/other",
                "h:6379#part",
            )
        ),
        (cache(namespace={"min_ttl_s": 301}), "namespaces[0].min_ttl_s: 301 is above max_ttl_s, which is 300."),
        (cache(namespace={"max_age_s": 4}), "namespaces[0].min_ttl_s: 5 is above max_age_s, which is 4."),
    ],
)
def test_an_error_names_its_path_and_valid_values(part: dict[str, Any], message: str) -> None:
    found = said({"version": 1, **part})
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    "address", ["redis://:s3cret@cache:port", "s3cret@cache", "http://me:s3cret@cache:6379", "//a:s3cret@"]
)
def test_an_error_about_an_address_never_shows_its_password(address: str) -> None:
    (found,) = said({"version": 1, **cache(endpoint=address)})
    assert "must be a URL" in found
    assert "s3cret" not in found


@pytest.mark.parametrize("part", [{"memory": {"ceiling_mb": 0}}, {"provisioned_concurrency": {"max_total": 0}}])
def test_zero_may_be_written_to_allow_none(part: dict[str, Any]) -> None:
    assert said({"version": 1, **part}) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n  'version': 1}", "Not JSON: line 2, column 3"),
        ('{"version": 1, "version": 1}', "version: is written twice"),
        ('{"version": 1, "run": {"max_changes_share": NaN}}', "NaN is not a JSON number"),
        (b'{"version": "\xff"}', "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('{"version": ' + "9" * 5000 + "}", "cannot be read"),
    ],
)
def test_a_text_that_is_not_valid_json_is_explained(text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(text)
    assert message in str(caught.value)


def test_a_byte_order_mark_is_harmless() -> None:
    assert read_policy(b'\xef\xbb\xbf{"version": 1}') == Policy()


def test_schema_and_model_have_the_same_fields_and_defaults() -> None:
    def compare(described: dict[str, Any], model: Any, path: str) -> None:
        properties = described["properties"]
        assert set(properties) == {field.name for field in fields(model)}, path
        assert described["additionalProperties"] is False
        for name, one in properties.items():
            assert one["description"].endswith("."), f"{path}.{name} says nothing"
            value = getattr(model, name)
            if is_dataclass(value):
                compare(one, value, f"{path}.{name}")
            else:
                assert one["default"] == canonical_json.plain(value), f"{path}.{name}"

    compare(policy_schema(), Policy(), "")


@pytest.mark.parametrize(
    ("part", "name", "model"),
    [
        ("run", "freezes", Freeze),
        ("run", "windows", RunWindow),
        ("indexes", "windows", Window),
        ("indexes", "databases", Database),
        ("cache_ttls", "caches", Cache),
        ("approvals", "approvers", Approver),
    ],
)
def test_the_items_of_lists_have_the_fields_of_their_classes(part: str, name: str, model: type[Any]) -> None:
    items = policy_schema()["properties"][part]["properties"][name]["items"]
    assert set(items["properties"]) == {field.name for field in fields(model)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


def near_policies() -> st.SearchStrategy[dict[str, Any]]:
    """Documents with the right names and often the wrong values: a random one beside the default."""

    def of(described: dict[str, Any]) -> st.SearchStrategy[Any]:
        if "properties" in described:
            known = {name: of(one) for name, one in described["properties"].items()}
            return st.fixed_dictionaries({}, optional=known) | JSON
        plain = [st.just(described["default"])] if "default" in described else []
        if described.get("type") in ("integer", "number"):
            plain.append(st.integers(-1, 20_000) | st.floats())
        if "items" in described:
            plain.append(st.lists(of(described["items"]), max_size=3))
        dates = st.sampled_from(["2026-02-30", "2026-12-24", "2026-12-24\n", "24:00", "7:00", "live\n"])
        return st.one_of(*plain, dates, JSON)

    return of(policy_schema())


@settings(max_examples=examples(400), deadline=None)
@given(near_policies())
def test_any_document_is_either_explained_or_builds_a_policy(document: Any) -> None:
    found = find_errors(document)
    assert all(error.message for error in found)
    if not found:
        assert isinstance(Policy.from_document(document), Policy)


@settings(max_examples=examples(300), deadline=None)
@given(st.text() | st.binary() | JSON.map(lambda value: json.dumps(value)))
def test_any_text_is_either_explained_or_builds_a_policy(text: str | bytes) -> None:
    document, found = parse_json(text)
    if not found and not find_errors(document):
        Policy.from_document(document)


def test_worth_of_a_cold_start_is_given_once() -> None:
    both = {"version": 1, "warmups": {"usd_per_cold_start": 0.001, "idle_minutes_per_cold_start": 20}}
    assert [error.path for error in find_errors(both)] == ["warmups.idle_minutes_per_cold_start"]
    assert not find_errors({"version": 1, "warmups": {"idle_minutes_per_cold_start": 20}})


NEVER_MEET = (
    "indexes.windows: never meet run.windows. Changes of indexes start only where both are open: let them meet."
)


@pytest.mark.parametrize(
    ("run", "indexes", "meets"),
    [
        ([{"start": "09:00", "until": "17:00", "tuners": ["memory"]}], [{"start": "17:00", "until": "09:00"}], True),
        ([], [], True),
        ([{"start": "09:00", "until": "17:00"}], [], True),
        ([{"start": "09:00", "until": "17:00"}], [{"start": "16:59", "until": "03:00"}], True),
        ([{"start": "09:00", "until": "17:00"}], [{"start": "17:00", "until": "09:00"}], False),
        ([{"days": ["sun"], "start": "22:00", "until": "02:00"}], [{"days": ["mon"], "until": "01:00"}], True),
        ([{"days": ["sun"], "start": "22:00", "until": "02:00"}], [{"days": ["mon"], "start": "02:00"}], False),
    ],
)
def test_windows_that_never_meet_are_an_error(run: list[Any], indexes: list[Any], meets: bool) -> None:
    policy = read_policy(json.dumps({"version": 1, "run": {"windows": run}, "indexes": {"windows": indexes}}))
    errors = [str(error) for error in window_errors(policy)]
    assert errors == ([] if meets else [NEVER_MEET])


@pytest.mark.parametrize(
    ("windows", "mode", "closed_hours"),
    [
        ([{"start": "09:00", "until": "17:00"}], "auto", None),
        ([{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "until": "17:00"}], "auto", 64),
        ([{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "until": "17:00"}], "recommend", None),
        ([{"days": ["sat"], "start": "00:00", "until": "24:00"}], "approve", 144),
    ],
)
def test_windows_longer_closed_than_pings_last_are_a_warning(
    windows: list[Any], mode: str, closed_hours: int | None
) -> None:
    # Windows that name no tuner do not concern pings.
    document = {"version": 1, "run": {"windows": windows}, "warmups": {"mode": mode}}
    assert window_warnings(read_policy(json.dumps(document))) == []
    for window in windows:
        window["tuners"] = ["warmups"]
    warnings = window_warnings(read_policy(json.dumps(document)))
    assert len(warnings) == (closed_hours is not None)
    assert all(f"closed for up to {closed_hours} hours" in warning for warning in warnings)
