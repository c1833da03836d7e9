"""`optimizer inspect cache` on real servers."""

import contextlib
import json

import pytest
from click.testing import CliRunner
from local_account.servers import HOST, free_port, valkey
from optimizer.caches.probe.result import NodeProbe, ProbeResult, Stopped
from optimizer.caches.probe.server_info import parse_info
from optimizer_cli.inspections import cache as inspect_cache
from optimizer_cli.main import main


@pytest.fixture
def url(server):
    running = server(valkey.VALKEY_9)
    with contextlib.closing(running.client()) as client:
        client.flushall()
        for i in range(200):
            client.set(f"price:{i}", "x" * 100, ex=60)
            client.set(f"[stock]:{i}", "x")
    return running.url


def inspect(*arguments, **environment):
    return CliRunner().invoke(main, ["inspect", "cache", *arguments], env={"COLUMNS": "200", **environment})


def test_inspect_cache_prints_tables_and_advice(url):
    shown = inspect("--url", url, "--duty", "0.1")
    assert shown.exit_code == 0, shown.output
    for said in ("price", "[stock]", "noeviction", "all keys", "costly [stock]: about 200 keys (100.0%"):
        assert said in shown.output


def test_inspect_cache_prints_one_json_document(url):
    shown = inspect("--json", "--duty", "0.1", "--namespace", "p=pri", OPTIMIZER_CACHE_URL=url)
    document = json.loads(shown.stdout)
    assert document["complete"]
    assert document["namespaces"]["p"]["keys"] == 200
    assert {"no-maxmemory", "without-ttl"} <= {item["rule"] for item in document["advice"]}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--url", f"redis://:geheim@{HOST}:PORT/0"), 1, "cannot be reached"),
        (("--url", "http://cache"), 1, "redis://"),
        (("--url", "redis://cache", "--iam-user", "a", "--iam-cache", "b", "--region", "eu-central-1"), 1, "rediss://"),
        (("--url", "rediss://cache", "--iam-user", "a"), 1, "--iam-cache"),
        (("--url", "redis://cache", "--namespace", "price"), 2, "NAME=PREFIX"),
        ((), 2, "--url"),
    ],
)
def test_inspect_cache_explains_bad_input_in_one_line(arguments, code, said):
    """The line does not contain the password."""
    shown = inspect(
        *(argument.replace("PORT", str(free_port())) for argument in arguments),
        AWS_ACCESS_KEY_ID="AKID",
        AWS_SECRET_ACCESS_KEY="secret",
    )
    assert shown.exit_code == code
    assert said in shown.output
    assert "geheim" not in shown.output
    assert "Traceback" not in shown.output
    if code == 1:
        assert len(shown.output.splitlines()) == 1


def test_inspect_cache_prints_errors_as_json(url):
    shown = inspect("--json", "--url", url.replace("redis://", "redis://nobody:x@"))
    assert shown.exit_code == 1
    assert "refuses the log-in" in json.loads(shown.stdout)["error"]


def test_inspect_cache_exits_with_3_for_a_slower_cache(monkeypatch):
    node = NodeProbe("cache:6379", parse_info({"role": "master"}), 7, Stopped.SLOWER, 0.2, 0.5, 50.0, 5.0)
    monkeypatch.setattr(inspect_cache, "probe_cache", lambda *_: ProbeResult((node,), {}, ()))
    shown = inspect("--url", "redis://cache")
    assert shown.exit_code == 3
    assert "became slower" in shown.output
