"""Assess a fleet of functions that were never tagged, and print time, calls and cost beside their goals.

    PYTHONPATH=local python bench/assess.py [--functions 1000] [--folder FOLDER]

`optimizer assess` runs as shipped, against a stand-in for AWS (assess_service.py) that pages, limits, throttles at the
default quotas of an account and takes 20 ms a call. Ends with 1 if a goal is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optimizer.assess.reads import READS

ROOT = Path(__file__).parents[1]
GOALS = {"seconds": 480.0, "first_page_s": 60.0, "usd": 0.20}
# Services as the stand-in counts them.
COUNTED = {
    "GraniteServiceVersion20100801": "cloudwatch",
    "Lambda": "lambda",
    "Logs": "logs",
    "ResourceGroupsTaggingAPI": "resourcegroupstaggingapi",
    "AnyScaleFrontendService": "application-autoscaling",
}


@contextmanager
def untouched_account(functions: int) -> Iterator[str]:
    """Run the stand-in; yield its address."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    command = [sys.executable, str(Path(__file__).parent / "assess_service.py"), str(functions), now.isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "local")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the stand-in has no standard output")
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def own(url: str, what: str, body: bytes = b"") -> Any:
    """Ask the stand-in itself: `counted`, `reset`, or `deny` with a list of actions."""
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_fleet/{what}", body)) as answer:  # noqa: S310 - our own
        return json.loads(answer.read())


def environment_of(url: str) -> dict[str, str]:
    """Return the variables of a command that assesses the stand-in."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "COLUMNS": "80",
    }


def not_reads(calls: dict[str, int]) -> list[str]:
    """Return the calls in the stand-in's log that are none of an assessment's reads."""
    allowed = {f"{service}.{operation}" for service, operation in READS}
    sent = [call.partition(".") for call in calls if not call.startswith("refused")]
    named = [f"{COUNTED.get(service, service)}.{operation}" for service, _, operation in sent]
    return [call for call in named if call not in allowed]


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="folder for the page. Default: a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, untouched_account(asked.functions) as url:
        folder = asked.folder or Path(temporary)
        began = time.monotonic()
        start = "from optimizer_cli.main import main; main()"
        command = [sys.executable, "-c", start, "assess", "--fresh", "--folder", str(folder)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment_of(url)
        ) as process:
            if process.stderr is None or process.stdout is None:
                raise RuntimeError("the command has no output")
            first_page_s, shown = 0.0, []
            for line in process.stderr:
                shown.append(line)
                if not first_page_s and line.startswith("Read with"):
                    first_page_s = time.monotonic() - began
            text = process.stdout.read()
        seconds = time.monotonic() - began
        counted = own(url, "counted")
    calls, refused = counted["calls"], {k: n for k, n in counted["calls"].items() if k.startswith("refused")}
    usd = counted["metrics"] * 0.01 / 1000 + counted["scanned_bytes"] / 1e9 * 0.005
    print("".join(shown), text, sep="\n")
    writes, most_usd = not_reads(calls), GOALS["usd"] * max(1.0, asked.functions / 1000)
    rows = (
        ("whole assessment", f"{seconds:.0f} s", seconds <= GOALS["seconds"], f"{GOALS['seconds']:.0f} s"),
        ("first page", f"{first_page_s:.0f} s", 0 < first_page_s <= GOALS["first_page_s"], "60 s"),
        ("cost of its calls", f"{usd:.4f} USD", usd <= most_usd, f"{most_usd:.2f} USD"),
        ("refused calls", str(sum(refused.values())), not refused, "0"),
        ("calls that do not read", str(len(writes)), not writes, "0"),
        ("ended with", str(process.returncode), process.returncode == 0, "0"),
    )
    print(f"\n{asked.functions} functions, {sum(calls.values())} calls: {dict(sorted(calls.items()))}")
    for name, figure, good, goal in rows:
        print(f"  {name:24} {figure:>12}   {'ok' if good else 'MISSED'}, goal {goal}")
    return 0 if all(good for _, _, good, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
