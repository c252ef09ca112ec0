"""The network between a kiosk and its centre, as a TCP relay that can be cut and mended."""

import contextlib
import socket
import struct
import threading

CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time (socket(7))


class Wire:
    """Relays 127.0.0.1:`port` to a target. While it is cut, nothing gets through and new connections are reset."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self._lock = threading.Lock()
        self._cut = False
        self._open: set[Relay] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="wire", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Resets every connection, and every new one until `mend`."""
        with self._lock:
            self._cut = True
        self.reset()

    def mend(self) -> None:
        """Lets new connections through again."""
        with self._lock:
            self._cut = False

    def reset(self) -> None:
        """Resets every open connection."""
        with self._lock:
            relays = list(self._open)
        for relay in relays:
            relay.reset()

    def close(self) -> None:
        """Ends the wire with all its connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        self.cut()

    def relay(self, near: socket.socket) -> "Relay":
        """The relay of a new connection. A subclass whose connections do more overrides this."""
        return Relay(near, self.target)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                relay = None if self._cut else self.relay(near)
                if relay:
                    self._open.add(relay)
            if relay:
                threading.Thread(target=self._run, args=(relay,), name="wire relay", daemon=True).start()
            else:
                reset(near)

    def _run(self, relay: "Relay") -> None:
        relay.run()
        with self._lock:
            if relay.ended:
                self._open.discard(relay)


class Relay:
    """One connection: requests go from `near` to `far`, answers come back."""

    def __init__(self, near: socket.socket, target: tuple[str, int]) -> None:
        self.near = near
        self.far: socket.socket | None = None
        self.ended = False
        self._target = target

    def run(self) -> None:
        """Relays until one end hangs up."""
        with contextlib.suppress(OSError):
            self.far = far = socket.create_connection(self._target, timeout=5)
            far.settimeout(None)
            threading.Thread(target=self.pass_requests, args=(far,), name="wire requests", daemon=True).start()
            self.pass_answers(far)
        self.end()

    def pass_requests(self, far: socket.socket) -> None:
        """Passes the requests on until the near end hangs up."""
        with contextlib.suppress(OSError):
            while data := self.near.recv(CHUNK):
                far.sendall(data)
        hang_up(far)

    def pass_answers(self, far: socket.socket) -> None:
        """Passes the answers on until the far end hangs up. Raises OSError where the near end has hung up."""
        while data := far.recv(CHUNK):
            self.near.sendall(data)

    def end(self) -> None:
        """Closes both ends; bytes already sent still arrive."""
        self.ended = True
        for side in (self.near, self.far):
            if side is not None:
                hang_up(side)
                side.close()

    def reset(self) -> None:
        """Closes both ends with a reset."""
        self.ended = True
        for side in (self.near, self.far):
            if side is not None:
                reset(side)


def hang_up(side: socket.socket) -> None:
    """Shuts a connection down in both directions; a thread that waits for it goes on."""
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)


def reset(side: socket.socket) -> None:
    """Closes a connection with a reset; a thread that waits for it goes on."""
    with contextlib.suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        side.shutdown(socket.SHUT_RD)
    side.close()
