"""Signatures of links, made and verified inside KMS: the key itself is nowhere in this application.

request_approval may only sign and answer_approval may only verify, so that the one that everybody can reach cannot give
out links.
"""

from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from optimizer.approvals import ApprovalLink

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_ALGORITHM: Literal["HMAC_SHA_256"] = "HMAC_SHA_256"


class ApprovalSignatures:
    """One HMAC key."""

    def __init__(self, kms: "KMSClient", key_id: str) -> None:
        self._kms = kms
        self._key_id = key_id

    def sign(self, link: ApprovalLink) -> bytes:
        """The signature of a link, 32 bytes."""
        signed = self._kms.generate_mac(Message=link.signed_bytes(), KeyId=self._key_id, MacAlgorithm=_ALGORITHM)
        return signed["Mac"]

    def are_right(self, link: ApprovalLink, signature: bytes) -> bool:
        """Whether the signature is the link's."""
        try:
            verified = self._kms.verify_mac(
                Message=link.signed_bytes(), KeyId=self._key_id, MacAlgorithm=_ALGORITHM, Mac=signature
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "KMSInvalidMacException":
                return False
            raise
        return verified["MacValid"]
