"""Clocks that only tests move, and a local server that answers as a market does: for tests of sources."""

import asyncio
import json
from collections import deque
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from glasstape.sources import SourceError
from glasstape.sources.polling import Clock


class FakeClock(Clock):
    """Sleeping moves the time at once."""

    def __init__(self, time):
        super().__init__()
        self.time = moment(time)
        self.slept = []
        self.ahead_of_machine = timedelta()
        """Of the server's header Date."""

    def machine_time(self):
        return self.time

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class PlayedClock(FakeClock):
    """Sleeping lasts until a test has moved the time."""

    async def sleep(self, seconds):
        end = self.time + timedelta(seconds=seconds)
        while self.time < end:  # noqa: ASYNC110  # the time is a mere attribute
            await asyncio.sleep(0.001)


def moment(text):
    """Return a time in UTC, of ISO 8601 text that is in UTC if it names no zone."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class Market:
    """Routes of a local HTTP server. Each answer is a function of the request, a JSON value or (status, text)."""

    def __init__(self):
        self.routes = {}
        self.requests = []
        self.sockets = {}
        self.faults = deque()
        self.url = ""
        self.clock = None
        """Of the header Date; None: real time."""

    async def answer(self, request):
        from aiohttp import web

        if request.path in self.sockets:
            socket = web.WebSocketResponse(autoping=False)
            await socket.prepare(request)
            await self.sockets[request.path](socket)
            return socket
        self.requests.append((request.path, dict(request.query), request.headers, await request.text()))
        result = self.faults.popleft() if self.faults else self.routes.get(request.path, (404, "not found"))
        if callable(result):
            result = result(dict(request.query))
        if isinstance(result, tuple):
            status, body = result
            response = web.Response(status=status, text=body)
        else:
            response = web.Response(text=json.dumps(result), content_type="application/json")
        if self.clock is not None:
            time = self.clock.machine_time() + self.clock.ahead_of_machine
            response.headers["Date"] = format_datetime(time, usegmt=True)
        return response

    @asynccontextmanager
    async def serve(self):
        from aiohttp import web

        runner = web.ServerRunner(web.Server(self.answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def collect(pages):
    """Return the bars of pages, in their order."""
    return [bar async for page in pages for bar in page]


async def until_error(bars):
    """Return the bars of a live stream and the error that ended it; None: it ended without one."""
    found = []
    try:
        async for bar in bars:
            found.append(bar)  # noqa: PERF401  # those before the error count
    except SourceError as error:
        return found, error
    return found, None
