"""Run a local account in the foreground until Ctrl-C: `python -m local_account`."""

import argparse
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from local_account.account import EmulatorMissing, LocalAccount
from local_account.curves import NoCurves
from local_account.deploy import deploy_application
from local_account.fleet import FleetSource
from local_account.processes import DidNotStart, PortInUse
from local_account.sam_cli import SamFailed, SamMissing
from local_account.traces import NoTraces


def main() -> int:
    """Start the account, print the variables to export, and wait."""
    arguments = _arguments()
    source = FleetSource(datetime.now(UTC), arguments.traces, arguments.curves, arguments.functions, arguments.seed)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LocalAccount(source, wait_scale=arguments.wait_scale, port=arguments.port) as account:
            print(f"# {source.says}")
            for name, value in account.environment().items():
                print(f"export {name}={shlex.quote(value)}")
            if arguments.deploy:
                for name, value in deploy_application(account).outputs.items():
                    print(f"# {name}: {value}")
            print(f"# {len(account.fleet)} target functions; Ctrl-C ends the account", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (DidNotStart, EmulatorMissing, NoCurves, NoTraces, PortInUse, SamFailed, SamMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_account", description=__doc__)
    parser.add_argument("--traces", type=Path, help="folder with series.json and CSV files; else synthetic traffic")
    parser.add_argument("--curves", type=Path, help="folder with curves.csv; else a formula")
    parser.add_argument("--functions", type=int, default=12, help="how many targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="of the emulator; 0 is any free one")
    parser.add_argument("--wait-scale", type=float, default=1.0, help="factor on the waits of state machines")
    parser.add_argument("--deploy", action="store_true", help="also build and deploy the application")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
