"""A local HTTPS proxy that answers for other machines, for tests of libraries with fixed addresses."""

import asyncio
import ssl
from contextlib import asynccontextmanager, contextmanager, suppress


@asynccontextmanager
async def answer_for(market, hosts, folder, monkeypatch):
    """Route all HTTPS requests for hosts to a local market, by the variables that HTTP libraries read.

    Libraries must run on other threads, which the variables reach too.
    """
    import trustme
    from aiohttp import web

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    runner = web.ServerRunner(web.Server(market.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    tunnels = Tunnels(runner.addresses[0][1], hosts)
    proxy = await asyncio.start_server(tunnels.connect, "127.0.0.1", 0)
    bundle = folder / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield market
    finally:
        proxy.close()
        await tunnels.close()
        await runner.cleanup()


class Tunnels:
    """Answers CONNECT requests for hosts with a connection to a port of this machine."""

    def __init__(self, port, hosts):
        self.port, self.hosts = port, hosts
        self.tasks = set()

    async def connect(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        # asyncio.streams would log an end or a cancellation as an error
        with suppress(OSError, EOFError, asyncio.CancelledError), _closing(writer):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            if request.split()[1].partition(":")[0] not in self.hosts:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.port)
            with _closing(inner_writer):
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    async def close(self):
        await asyncio.sleep(0)  # a connection accepted just now starts its task
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks)


@contextmanager
def _closing(writer):
    try:
        yield
    finally:
        writer.close()


async def _copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
