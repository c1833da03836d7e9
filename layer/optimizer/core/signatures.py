"""Signatures as text in a URL."""

import base64


def encode_signature(signature: bytes) -> str:
    """Return the signature as 43 characters that are safe in a URL."""
    return base64.urlsafe_b64encode(signature).decode().rstrip("=")


def decode_signature(text: str) -> bytes:
    """Return the signature of its 43 characters; raise binascii.Error (a ValueError) if they are none."""
    return base64.urlsafe_b64decode(text + "=")
