"""Signed links: HMAC signatures made and verified inside KMS, so that the key itself is nowhere in this application.

The Lambda that gives out links may only sign and the one that everybody can reach may only verify, so that the public
one cannot give out links.
"""

from typing import Literal, Protocol

from botocore.exceptions import ClientError

from optimizer.aws.client_types import KMSClient

_ALGORITHM: Literal["HMAC_SHA_256"] = "HMAC_SHA_256"


class SignedLink(Protocol):
    """A link that can be signed."""

    def signed_bytes(self) -> bytes:
        """Return the bytes that the signature covers."""


class LinkSigner:
    """One HMAC key in KMS."""

    def __init__(self, kms: "KMSClient", key_id: str) -> None:
        self._kms = kms
        self._key_id = key_id

    def sign(self, link: SignedLink) -> bytes:
        """Return the signature of a link, 32 bytes."""
        signed = self._kms.generate_mac(Message=link.signed_bytes(), KeyId=self._key_id, MacAlgorithm=_ALGORITHM)
        return signed["Mac"]

    def is_valid(self, link: SignedLink, signature: bytes) -> bool:
        """Return True if the signature belongs to the link."""
        try:
            verified = self._kms.verify_mac(
                Message=link.signed_bytes(), KeyId=self._key_id, MacAlgorithm=_ALGORITHM, Mac=signature
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "KMSInvalidMacException":
                return False
            raise
        return bool(verified["MacValid"])
