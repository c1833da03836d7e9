"""Start the runtime client for Python, as `/var/runtime/bootstrap.py` of Lambda does."""

import os
import sys


def main() -> None:
    """Become the runtime of the function whose handler `_HANDLER` names."""
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    from awslambdaric.__main__ import main as run

    run([sys.argv[0], os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
