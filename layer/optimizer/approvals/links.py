"""Links with which one approver answers one question: what they hold, what their signature covers. Pure.

A link holds no secret and no task token. It opens the question of one run, for one approver, for one plan, until one
moment; each of the four is covered by the signature, so that changing any of them makes it another link without one.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from optimizer.core import OptimizerError, canonical_json, decode_signature, encode_signature

_PURPOSE = "optimizer approval link 1"
# What Step Functions allows in the name of an execution.
_RUN = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff]{1,80}")
_APPROVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_EXPIRES = re.compile(r"[0-9]{10,11}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class MalformedLink(OptimizerError, ValueError):
    """What was opened is no link that this application gives out."""


@dataclass(frozen=True, slots=True)
class ApprovalLink:
    """What a link says, before anybody has looked at its signature."""

    run_id: str
    approver: str
    expires_at: datetime
    digest: str

    def signed_bytes(self) -> bytes:
        """What the signature covers; one spelling for each link, whatever the names hold."""
        expires = int(self.expires_at.timestamp())
        return canonical_json.dumps([_PURPOSE, self.run_id, self.approver, expires, self.digest]).encode()

    def url(self, base: str, signature: bytes) -> str:
        """The address to send to the approver. `base`: of the function URL."""
        # None of AWS's own names: a parameter called Signature makes a request look signed with credentials.
        query = {
            "run": self.run_id,
            "approver": self.approver,
            "until": str(int(self.expires_at.timestamp())),
            "digest": self.digest,
            "mac": encode_signature(signature),
        }
        return f"{base.rstrip('/')}/?{urlencode(query)}"


def parse(query: Mapping[str, str]) -> tuple[ApprovalLink, bytes]:
    """The link in the parameters of a query and the signature that came with it, or MalformedLink."""
    texts = {}
    for name, form in (
        ("run", _RUN),
        ("approver", _APPROVER),
        ("until", _EXPIRES),
        ("digest", _DIGEST),
        ("mac", _SIGNATURE),
    ):
        if not form.fullmatch(query.get(name, "")):
            raise MalformedLink(f"the link's {name} is missing or has another form")
        texts[name] = query[name]
    try:
        signature = decode_signature(texts["mac"])
    except binascii.Error as error:
        raise MalformedLink("the link's signature cannot be read") from error
    expires_at = datetime.fromtimestamp(int(texts["until"]), UTC)
    return ApprovalLink(texts["run"], texts["approver"], expires_at, texts["digest"]), signature
