"""Run the SAM CLI with less work: `python local/quick_sam.py deploy`. It runs in the SAM CLI's own environment.

It parses YAML in C, and compresses packages less: nothing leaves this machine, so that small packages are not worth the
half of its processor time that `sam deploy` takes to make them. With SAM_LAYERS_ARE_BUILT, `sam local invoke` takes the
image with the layers that an earlier call has made; by itself it makes that image again for each call.
"""

import os
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


def _keep_images() -> None:
    """Replace how an image with layers is made: not at all where it exists."""
    from docker.errors import ImageNotFound
    from samcli.local.docker.lambda_image import LambdaImage

    make = LambdaImage._build_image

    def make_once(self: Any, base_image: str, docker_tag: str, *more: Any, **options: Any) -> Any:
        try:
            self.docker_client.images.get(docker_tag)
        except ImageNotFound:
            return make(self, base_image, docker_tag, *more, **options)
        return docker_tag

    LambdaImage._build_image = make_once


def main() -> None:
    """Run the command of the arguments."""
    zipfile.ZipFile = _QuickZip
    yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper
    from samcli.cli.main import cli

    if os.environ.get("SAM_LAYERS_ARE_BUILT"):
        _keep_images()
    cli(prog_name="sam")


if __name__ == "__main__":
    sys.exit(main())
