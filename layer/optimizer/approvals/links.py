"""Links with which one approver responds to one approval request, and the bytes that their signature covers. Pure.

A link holds no secret and no task token. It opens the approval request of one run, for one approver and one plan, until
one moment. The signature covers all four, so a link in which any of them is changed is not valid.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from optimizer.core import OptimizerError, canonical_json, decode_signature, encode_signature

_PURPOSE = "optimizer approval link 1"
# Step Functions allows these characters in the name of an execution.
_RUN = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff]{1,80}")
_APPROVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_EXPIRES = re.compile(r"[0-9]{10,11}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class MalformedLink(OptimizerError, ValueError):
    """The address has another form than the links of this application."""


def is_approver(name: str) -> bool:
    """Return True if an approver may have this name."""
    return _APPROVER.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class ApprovalLink:
    """The content of a link, whose signature is not verified yet."""

    run_id: str
    approver: str
    expires_at: datetime
    digest: str

    def signed_bytes(self) -> bytes:
        """Return the bytes that the signature covers: one spelling for each link, whatever the names contain."""
        expires = int(self.expires_at.timestamp())
        return canonical_json.dumps([_PURPOSE, self.run_id, self.approver, expires, self.digest]).encode()

    def url(self, base: str, signature: bytes) -> str:
        """Return the address to send to the approver. `base` is the function URL."""
        # AWS takes a request with a parameter called Signature for one signed with credentials, so none is called that.
        query = {
            "run": self.run_id,
            "approver": self.approver,
            "until": str(int(self.expires_at.timestamp())),
            "digest": self.digest,
            "mac": encode_signature(signature),
        }
        return f"{base.rstrip('/')}/?{urlencode(query)}"


def parse(query: Mapping[str, str]) -> tuple[ApprovalLink, bytes]:
    """Return the link in the parameters of a query, and its signature; raises MalformedLink."""
    texts = {}
    for name, form in (
        ("run", _RUN),
        ("approver", _APPROVER),
        ("until", _EXPIRES),
        ("digest", _DIGEST),
        ("mac", _SIGNATURE),
    ):
        if not form.fullmatch(query.get(name, "")):
            raise MalformedLink(f"the link's {name} is missing or malformed")
        texts[name] = query[name]
    try:
        signature = decode_signature(texts["mac"])
    except binascii.Error as error:
        raise MalformedLink("the link's signature cannot be read") from error
    expires_at = datetime.fromtimestamp(int(texts["until"]), UTC)
    return ApprovalLink(texts["run"], texts["approver"], expires_at, texts["digest"]), signature
