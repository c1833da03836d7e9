"""Links to the report of a run: whoever has one can read that run's pages, until it expires.

A link of S3 itself would end with the credentials that signed it, hours later and without a word. This one names its
end and is signed inside KMS; publish_results may only sign, show_report may only verify.
"""

import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from optimizer.core import decode_signature, encode_signature

_PATH = re.compile(
    r"/(?P<run>[A-Za-z0-9_-]{1,80})/(?P<expires>[0-9]{1,11})\.(?P<mac>[A-Za-z0-9_-]{43})/"
    r"(?P<file>(?:(?:functions|databases|caches)/)?[A-Za-z0-9_.-]{1,200}\.(?:html|json))"
)


@dataclass(frozen=True, slots=True)
class ReportLink:
    """Leave to read the report of a run until `expires_at` (Unix time, seconds)."""

    run_id: str
    expires_at: int

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return f"report {self.run_id} {self.expires_at}".encode()

    @property
    def ends(self) -> datetime:
        """As a time."""
        return datetime.fromtimestamp(self.expires_at, UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for with a link: a file below the report, as yet unverified."""

    link: ReportLink
    mac: bytes
    file: str


def parse(path: str) -> Asked | None:
    """The path of a request; None where it is not one of ours."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    try:
        mac = decode_signature(match["mac"])
    except binascii.Error:
        return None
    return Asked(ReportLink(match["run"], int(match["expires"])), mac, match["file"])


def signed_url(base: str, link: ReportLink, signature: bytes) -> str:
    """Return the address of the run's page. `base`: of the function URL."""
    return f"{base.rstrip('/')}/{link.run_id}/{link.expires_at}.{encode_signature(signature)}/index.html"
