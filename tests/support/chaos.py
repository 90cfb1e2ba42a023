"""A TCP proxy that does to a connection what networks do to it, under toxiproxy's names."""

import asyncio
import socket
import struct
import threading
from dataclasses import dataclass


@dataclass
class Toxics:
    """What is wrong with the link now; may be changed at any moment."""

    latency: float = 0.0
    """Seconds before each piece goes on."""
    jitter: float = 0.0
    slicer: int = 0
    """Largest piece in bytes; 0: as it comes."""
    bandwidth: float = 0.0
    """Bytes a second in each direction; 0: as fast as it goes."""
    limit_data: int = 0
    """Bytes after which a connection is closed; 0: never."""
    blackhole: bool = False
    """Connections stay open and nothing comes through: a cut cable."""


class ChaosProxy:
    """Listens on a port of its own in a thread of its own and passes on to `target`."""

    def __init__(self, target):
        self.toxics = Toxics()
        self._target = target
        self._writers = set()
        self._tasks = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos", daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def reset(self):
        """End every connection with RST."""
        self._run(self._close_all(reset=True))

    def close(self):
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _stop(self):
        self._server.close()
        await asyncio.sleep(0)  # a connection accepted just now starts its task
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close_all(self, *, reset=False):
        for writer in list(self._writers):
            if reset and not writer.is_closing():
                lingering = struct.pack("ii", 1, 0)  # close without waiting: the peer gets RST
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
            writer.transport.abort()

    async def _accept(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        ends = {writer}
        host, _, port = self._target.rpartition(":")
        try:
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
            ends.add(there_writer)
            self._writers |= ends
            await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # no target, or the proxy is closed; asyncio.streams would log it as an error
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _pass(self, reader, writer):
        passed = 0
        try:
            while data := await reader.read(self.toxics.slicer or 1 << 16):
                toxics = self.toxics
                while self.toxics.blackhole:  # noqa: ASYNC110 - set from another thread
                    await asyncio.sleep(0.02)
                if toxics.latency or toxics.jitter:
                    await asyncio.sleep(toxics.latency + toxics.jitter * (passed % 7) / 7)
                if toxics.bandwidth:
                    await asyncio.sleep(len(data) / toxics.bandwidth)
                writer.write(data)
                await writer.drain()
                passed += len(data)
                if toxics.limit_data and passed >= toxics.limit_data:
                    break
        except OSError:
            pass
        writer.transport.abort()
