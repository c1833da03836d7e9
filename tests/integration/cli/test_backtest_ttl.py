"""`optimizer backtest ttl`: tune on the first half of the reads, judge on the second."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from local_account.cache_traffic import Stream, reads
from optimizer_cache import Bounds
from optimizer_cli.main import main

STREAMS = (Stream("price", Bounds(60, 1, 3600), 200, 1.0, 2.0), Stream("page", Bounds(60, 1, 3600), 90_000, 0.3, 1.0))


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "reads.csv.gz"
    with gzip.open(path, "wt", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["time_s", "namespace", "key"])
        writer.writerows(reads(STREAMS, 0, 4 * 3600, seed=3))
    return path


def run(*arguments: str) -> Any:
    done = CliRunner().invoke(main, ["backtest", "ttl", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_second_half_confirms_the_prediction_of_the_first(trace: Path) -> None:
    found = json.loads(run("--trace", str(trace), "--json"))
    rows = {row["namespace"]: row for row in found["caches"]["reads.csv.gz"]}
    price = rows["price"]
    assert price["steps"] >= 2
    assert price["after"]["ttl_s"] > 120
    assert price["after"]["hit_ratio"] > price["before"]["hit_ratio"] + 0.15
    assert price["after"]["hit_ratio"] == pytest.approx(price["predicted_hit_ratio"], abs=0.02)
    assert price["after"]["usd_month"] < price["before"]["usd_month"]
    assert rows["page"]["reachable_hit_ratio"] < 0.3


def test_small_budget_holds_in_the_second_half(trace: Path) -> None:
    budget = 0.1
    found = json.loads(run("--trace", str(trace), "--memory-mb", str(budget), "--json"))
    used = sum(row["after"]["memory_bytes"] for row in found["caches"]["reads.csv.gz"])
    assert used <= 1.1 * budget * 1024 * 1024


def test_table_ends_with_the_total(trace: Path) -> None:
    assert "In all" in run("--trace", str(trace))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give either --trace, or --policy"),
        (["--trace", __file__], "is no CSV with time_s, namespace and key"),
        (["--trace", __file__, "--ttl", "9000"], "lies outside"),
    ],
)
def test_backtest_ttl_explains_unusable_input(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["backtest", "ttl", *arguments])
    assert done.exit_code != 0
    assert says in " ".join(done.output.replace("│", " ").split())


GOOD = [f"{i * 0.9:.2f},price,k{i * 7 % 100}" for i in range(2000)]


@pytest.mark.parametrize(
    ("head", "rows", "encoding", "says"),
    [
        ("", [*GOOD, "inf,price,k1"], "utf-8", "row 2002: 'inf' is no time in seconds"),
        ("", ["nan,price,k1", *GOOD], "utf-8", "row 2: 'nan' is no time in seconds"),
        ("", ["1e300,price,k1", *GOOD], "utf-8", "row 2: '1e300' is no time in seconds"),
        ("", [*GOOD, "5,price"], "utf-16", "is not encoded in UTF-8"),
        ("", ["noon,price,k1", *GOOD], "utf-8", "row 2, ValueError"),
        ("\ufeff", GOOD, "utf-8", "USD a month"),
        ("", [row.replace("price", "[red]x[/nope]") for row in GOOD], "utf-8", "[red]x[/nope]"),
        ("", [*GOOD, *(f"{18 * i},small,k1" for i in range(100))], "utf-8", "small: not tuned: 50 reads in the sample"),
    ],
)
def test_backtest_ttl_reads_real_files_or_names_the_row(
    tmp_path: Path, head: str, rows: list[str], encoding: str, says: str
) -> None:
    path = tmp_path / "reads.csv"
    path.write_bytes((head + "\n".join(["time_s,namespace,key", *rows])).encode(encoding))
    done = CliRunner().invoke(main, ["backtest", "ttl", "--trace", str(path)], env={"COLUMNS": "200"})
    told = " ".join(done.output.split())
    assert says in told
    assert len(told) < 3000
    assert done.exit_code == (0 if "USD" in told else 1)
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_backtest_that_ends_dearer_proposes_nothing(tmp_path: Path) -> None:
    """Keys are read every 50 s in the first half, which a longer TTL would catch, and never twice in the second."""
    first = [f"{at},price,k{key}" for key in range(40) for at in range(key, 3600, 50)]
    second = [f"{3600 + i},price,once{i}" for i in range(3600)]
    path = tmp_path / "reads.csv"
    path.write_text("\n".join(["time_s,namespace,key", *first, *second]))
    prices = ["--usd-gb-month", "5", "--usd-million-misses", "5"]
    said = run("--trace", str(path), "--ttl", "40", "--value-bytes", "100000", *prices, "--json")
    (row,) = json.loads(said)["caches"]["reads.csv"]
    assert row["before"] == row["after"]
    assert row["steps"] == 0
    assert "no change proposed: the tuned TTLs of this cache would have cost $" in row["note"]
