"""The network between a kiosk and its centre, with a pair of scissors: a TCP relay that can be cut and mended."""

import contextlib
import socket
import threading


class Wire:
    """Relays 127.0.0.1:`port` to the centre. While cut, nothing gets through and new connections are reset."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lock = threading.Lock()
        self._cut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def cut(self) -> None:
        """Ends every connection and lets none through."""
        with self._lock:
            self._cut = True
            ended, self._open = self._open, set()
        for end in ended:
            _hang_up(end)

    def mend(self) -> None:
        """Lets connections through again."""
        with self._lock:
            self._cut = False

    def retarget(self, host: str, port: int) -> None:
        """Leads new connections somewhere else."""
        self._target = (host, port)

    def close(self) -> None:
        """Cuts for good."""
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            _hang_up(near)
            return
        far.settimeout(None)
        with self._lock:
            through = not self._cut
            if through:
                self._open |= {near, far}
        if not through:
            _hang_up(near)
            _hang_up(far)
            return
        threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
        self._pump(far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _hang_up(source)
        _hang_up(sink)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
