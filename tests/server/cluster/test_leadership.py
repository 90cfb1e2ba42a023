"""A server leads only while it can check its lease."""

import asyncio
import contextlib
import json

import pytest
from glasstape_server.broker.connection import BrokerUnavailable
from glasstape_server.broker.key_value import Value
from glasstape_server.cluster import leadership
from glasstape_server.cluster.leadership import Leadership


class MemoryBucket:
    """One value, and the error that reading it raises from some moment on."""

    def __init__(self):
        self.value = None
        self.error = None

    async def get(self, key):
        if self.error is not None:
            raise self.error
        return self.value

    async def put(self, key, payload, revision):
        if self.error is not None:
            raise self.error
        self.value = Value(payload, revision + 1)
        return revision + 1


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BrokerUnavailable("no broker is connected"), "no broker is connected"),
        (RuntimeError("a fault of this server"), "the lease cannot be checked; see the log"),
    ],
)
async def test_leadership_ends_when_the_lease_cannot_be_checked(monkeypatch, error, text):
    monkeypatch.setattr(leadership, "LEASE_S", 0.3)
    monkeypatch.setattr(leadership, "POLL_S", 0.02)
    bucket, gained, lost = MemoryBucket(), asyncio.Event(), asyncio.Event()

    async def on_gained():
        gained.set()

    async def on_lost():
        lost.set()

    candidate = Leadership(bucket, "a", eligible=lambda: True, on_gained=on_gained, on_lost=on_lost)
    running = asyncio.create_task(candidate.run())
    try:
        bucket.value = Value(json.dumps({"member": "", "term": ""}).encode(), 1)
        await asyncio.wait_for(gained.wait(), 10)
        bucket.error = error
        await asyncio.wait_for(lost.wait(), 10)
        assert not candidate.leads
        assert candidate.last_error == text
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
