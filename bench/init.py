"""Measure INIT of each Lambda beside that of a handler that only imports boto3 and makes one client, and package sizes.

    python bench/init.py [--rounds 5] [--only NAME ...]

`sam build` makes the packages; each is started in the runtime interface emulator that the SAM CLI brings, one function
after another, round after round, so that other work on the machine affects all alike. It prints the median of the
emulator's own INIT REPORT line. Needs `make setup .build/runtime/.installed`.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from local_account.builds import LOCAL_ARCHITECTURE, build_lock, template_for

ROOT = Path(__file__).parents[1]
RIE = next((ROOT / ".build/sam").glob("lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64"), None)
RUNTIME = ROOT / ".build" / "runtime" / "bin" / "python"
BUILT = ROOT / ".aws-sam" / "init"
INIT = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)")
GOAL, GOAL_HEAVY = 1.2, 2.0
HEAVY = ("numpy", "pg8000", "pymysql", "redis")
BASELINE = "import boto3\n\nboto3.client('dynamodb')\n\n\ndef handler(event, context):\n    return {}\n"
PATIENCE_S = 30


class NotInitialised(RuntimeError):
    """The emulator did not report the duration of INIT."""


def main() -> None:
    """Build, start each function in turn, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    if RIE is None or not RUNTIME.exists():
        sys.exit("The emulator is missing: run `make setup .build/runtime/.installed`.")
    build()
    functions = {name: BUILT / name for name in lambdas() if not asked.only or name in asked.only}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(BASELINE)
        packages = {"baseline": Path(folder), **functions}
        took: dict[str, list[float]] = {name: [] for name in packages}
        for _ in range(asked.rounds):
            for name, package in packages.items():
                took[name].append(init_ms(package))
    baseline = statistics.median(took["baseline"])
    layer = size_mb(BUILT / "OptimizerLayer")
    print(f"{'function':26} {'INIT ms':>8}  times  goal          package MB (and {layer:.1f} of the layer)")
    print(f"{'boto3 and one client':26} {baseline:8.0f}")
    for name, package in functions.items():
        median = statistics.median(took[name])
        goal = GOAL_HEAVY if any((package / module).exists() for module in HEAVY) else GOAL
        verdict = "ok" if median <= goal * baseline else "MISSED"
        print(
            f"{name:26} {median:8.0f}  {median / baseline:5.2f}  at most {goal} {verdict:6} {size_mb(package):6.1f}",
        )


def lambdas() -> list[str]:
    """Return the logical ids of the functions in the built template."""
    template = yaml.load((BUILT / "template.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - plain values only
    return [n for n, resource in template["Resources"].items() if resource["Type"] == "AWS::Serverless::Function"]


def build() -> None:
    """Build all packages for this machine's processor."""
    sam = ROOT / ".build" / "sam" / "bin" / "sam"
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"}
    with build_lock():
        options = ["--template-file", str(template_for(LOCAL_ARCHITECTURE)), "--build-dir", str(BUILT)]
        command = [str(sam), "build", *options, "--cached", "--parallel"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


def init_ms(package: Path) -> float:
    """Return the INIT time of one start in milliseconds; raise NotInitialised."""
    address, runtime_api = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{package}:{BUILT / 'OptimizerLayer' / 'python'}",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # Handlers need not call anything; one that tries finds nobody.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_LAMBDA_FUNCTION_NAME": "init",
        "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
    }
    addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{address}"]
    addresses += ["--runtime-api-address", f"127.0.0.1:{runtime_api}"]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [str(RIE), *addresses, str(RUNTIME), "-m", "awslambdaric", "app.handler"],
            cwd=package,
            env=environment,
            stdout=said,
            stderr=said,
        )
        try:
            invoke(address)
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline:
                said.seek(0)
                found = INIT.search(said.read())
                if found:
                    return float(found[1])
                time.sleep(0.05)
            said.seek(0)
            raise NotInitialised(f"{package.name}: {said.read()[-500:]}")
        finally:
            process.terminate()
            process.wait(10)


def invoke(port: int) -> None:
    """Start the environment; its response to an empty event does not matter."""
    url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, b"{}"), timeout=PATIENCE_S):
                return
        except urllib.error.HTTPError:
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise NotInitialised("the emulator does not listen")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def size_mb(folder: Path) -> float:
    """Return the size of all files below the folder, unpacked."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
