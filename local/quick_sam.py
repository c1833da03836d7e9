"""Run the SAM CLI with C's YAML parser, and with packages that are compressed less: `python local/quick_sam.py deploy`.

It runs in the SAM CLI's own environment. Nothing leaves this machine, so that small packages are not worth the half of
its processor time that `sam deploy` takes to make them.
"""

import sys
import zipfile
from typing import Any

import yaml

_FASTEST = 1


class _QuickZip(zipfile.ZipFile):
    def writestr(
        self, entry: Any, data: Any, compress_type: int | None = None, compresslevel: int | None = None
    ) -> None:
        """Add a file like `ZipFile.writestr`, quickly unless told otherwise."""
        super().writestr(entry, data, compress_type, _FASTEST if compresslevel is None else compresslevel)


def main() -> None:
    """Run the command of the arguments."""
    zipfile.ZipFile = _QuickZip
    yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper
    from samcli.cli.main import cli

    cli(prog_name="sam")


if __name__ == "__main__":
    sys.exit(main())
