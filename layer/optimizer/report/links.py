"""Links to the report of a run: whoever has one can read that run's pages, until it expires.

A presigned link of S3 would end with the credentials that signed it, hours later and without notice. This one names its
end and is signed inside KMS; publish_results may only sign, show_report may only verify.
"""

import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from optimizer.core import decode_signature, encode_signature

# Step Functions allows these characters in the name of an execution.
_RUN = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff]{1,80}")
_PATH = re.compile(
    r"/(?P<run>[^/]{1,1000})/(?P<expires>[0-9]{1,11})\.(?P<mac>[A-Za-z0-9_-]{43})/"
    r"(?P<file>(?:(?:functions|databases|caches)/)?[A-Za-z0-9_.-]{1,200}\.(?:html|json))"
)


@dataclass(frozen=True, slots=True)
class ReportLink:
    """The right to read the report of a run until `expires_at` (Unix time, seconds)."""

    run_id: str
    expires_at: int

    def signed_bytes(self) -> bytes:
        """Return the bytes that the signature covers."""
        return f"report {self.run_id} {self.expires_at}".encode()

    @property
    def ends(self) -> datetime:
        """Return the end as a time."""
        return datetime.fromtimestamp(self.expires_at, UTC)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A request for a file of a report; its link is not verified yet."""

    link: ReportLink
    mac: bytes
    file: str


def parse(path: str) -> ReportRequest | None:
    """Read the path of a request; return None if it has another form than the links of this application."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    # No run has a % in its name, so it does not matter whether the path arrives quoted.
    run_id = unquote(match["run"])
    if not _RUN.fullmatch(run_id):
        return None
    try:
        mac = decode_signature(match["mac"])
    except binascii.Error:
        return None
    return ReportRequest(ReportLink(run_id, int(match["expires"])), mac, match["file"])


def signed_url(base: str, link: ReportLink, signature: bytes) -> str:
    """Return the address of the run's page. `base`: of the function URL."""
    return (
        f"{base.rstrip('/')}/{quote(link.run_id, safe='')}/{link.expires_at}.{encode_signature(signature)}/index.html"
    )
