"""An HTTP proxy of this machine that keeps every byte."""

import contextlib
import socket
import threading


class RecordingProxy:
    """A relay that keeps every byte; it answers CONNECT, and otherwise connects to `target` at once."""

    def __init__(self, target=None):
        self.seen, self.connections = bytearray(), 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets, self._threads = [self._listener], []
        self._start(self._accept)

    def close(self):
        for used in self._sockets:
            with contextlib.suppress(OSError):
                used.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for used in self._sockets:
            used.close()

    def _start(self, run, *arguments):
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(client)
            self._start(self._relay, client)

    def _relay(self, client):
        target, head = self._target, b""
        while target is None and b"\r\n\r\n" not in head:
            if not (data := client.recv(65536)):
                return
            head += data
            self.seen += data
        host, port = (target or "127.0.0.1:" + head.split()[1].decode().rpartition(":")[2]).rsplit(":", 1)
        upstream = socket.create_connection((host, int(port)))
        self._sockets.append(upstream)
        if target is None:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for source, sink in ((client, upstream), (upstream, client)):
            self._start(self._pump, source, sink)

    def _pump(self, source, sink):
        try:
            while data := source.recv(65536):
                self.seen += data
                sink.sendall(data)
        except OSError:
            return
