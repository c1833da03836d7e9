"""Let containers reach a server that listens on 127.0.0.1, through this machine's address on their own network."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local_account.processes import HOST

# The bridge of the containers, and with it the address, exists only while a container runs.
_IP_FREEBIND = 15
_CHUNK = 65536


@contextmanager
def relay(address: str, to_port: int) -> Iterator[int]:
    """Yield a port of `address` whose connections go to `to_port` of 127.0.0.1 while the context lasts."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((HOST, to_port)) as server:
                back = threading.Thread(target=_copy, args=(server, self.request), daemon=True)
                back.start()
                _copy(self.request, server)
                back.join()

    class Relay(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            super().server_bind()

    with Relay((address, 0), Connection) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield int(listening.server_address[1])
        finally:
            listening.shutdown()


def _copy(from_: socket.socket, to: socket.socket) -> None:
    """Copy until one side has sent everything, or is gone; then close the other."""
    try:
        while received := from_.recv(_CHUNK):
            to.sendall(received)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        from_.close()
        to.close()
