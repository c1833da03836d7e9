"""Run the end-to-end tests under each setting of the local account's switches: `make test-strict`.

The ordinary suite runs them once with `STRICTEST`. Each row here changes some switches, and the parameters that go with
them, and runs the files that they can make a difference to. A row is a pytest of its own, with an account of its own.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from local_account.account import ROOT
from local_account.switches import STRICTEST, Switches

SWITCHES_VARIABLE, PARAMETERS_VARIABLE = "TEST_SWITCHES", "TEST_PARAMETERS"
_ORDINARY = asdict(Switches())
# The upgrade and the demo start accounts of their own, which have no switches.
_OWN_ACCOUNTS = ("-m", "not upgrade", "--ignore", "tests/e2e/test_demo.py")


@dataclass(frozen=True, slots=True)
class Row:
    """Switches that differ from the strictest setting, parameters of the stack, and the files to run."""

    name: str
    switches: Mapping[str, Any]
    files: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)


MATRIX = (
    Row("an ordinary account", _ORDINARY, ("tests/e2e",)),
    Row(
        "attributes beside JSON are seen by filters alone",
        {"attributes_with_json": "filter only"},
        ("tests/e2e/test_delivery.py", "tests/e2e/test_states.py"),
    ),
    Row(
        "attributes beside JSON are delivered",
        {"attributes_with_json": "delivered"},
        ("tests/e2e/test_delivery.py", "tests/e2e/test_states.py"),
    ),
    Row(
        "a Region without function URLs",
        {"function_urls": False},
        ("tests/e2e/test_recommend.py",),
        {"PublicPages": "none"},
    ),
    Row("a new account", {"account_concurrency": 10}, ("tests/e2e/test_recommend.py",)),
    Row(
        "aliases in transition for a minute",
        {"alias_transition_minutes": 1.0},
        ("tests/e2e/test_provisioned_concurrency.py", "tests/e2e/test_leaving.py"),
    ),
    Row(
        "aliases without transition, weights beside provisioned concurrency",
        {"alias_transition_minutes": 0.0, "weights_beside_provisioned": "allowed"},
        ("tests/e2e/test_provisioned_concurrency.py", "tests/e2e/test_leaving.py"),
    ),
    # Runs end well and change nothing; the tests of other files need changes.
    Row(
        "metrics of calls cannot be read",
        {"unreadable_metrics": {"Invocations": "InternalError"}},
        ("tests/e2e/test_schedules_fire.py",),
    ),
    Row("metrics are late", {"late_metrics_minutes": 3.0}, ("tests/e2e/test_commands.py",)),
    Row("log lines are later", {"late_log_lines_s": 5.0}, ("tests/e2e/test_stack_deleted.py",)),
)


def main() -> int:
    """Run every row; return 1 if one failed."""
    failed, began = [], time.monotonic()
    for row in MATRIX:
        sys.stdout.write(f"== {row.name}: {json.dumps(dict(row.switches))}\n")
        sys.stdout.flush()
        row_began = time.monotonic()
        asked = {
            SWITCHES_VARIABLE: json.dumps(dict(row.switches)),
            PARAMETERS_VARIABLE: json.dumps(dict(row.parameters)),
        }
        command = [sys.executable, "-m", "pytest", "-n0", "-q", *_OWN_ACCOUNTS, *row.files, *sys.argv[1:]]
        if subprocess.run(command, cwd=ROOT, env=os.environ | asked, check=False).returncode:  # noqa: S603  our own
            failed.append(row.name)
        sys.stdout.write(f"== {row.name}: {time.monotonic() - row_began:.0f} s\n")
    ended = f"failed: {'; '.join(failed)}" if failed else f"all {len(MATRIX)} rows passed"
    sys.stdout.write(f"{ended}, after {(time.monotonic() - began) / 60:.0f} min\n")
    return bool(failed)


def of_environment() -> tuple[Switches, dict[str, str]]:
    """Return the switches and parameters that this run of the tests is asked for; the strictest ones by default."""
    switches = json.loads(os.environ.get(SWITCHES_VARIABLE, "{}"))
    parameters: dict[str, str] = json.loads(os.environ.get(PARAMETERS_VARIABLE, "{}"))
    return Switches.from_json(json.dumps({**asdict(STRICTEST), **switches})), parameters


if __name__ == "__main__":
    sys.exit(main())
