"""Figures for Prometheus: read on the event loop when somebody asks, so that nothing is counted twice."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from glasstape_server.domain.values import SECOND, Kind
from glasstape_server.operations.components import Parts
from glasstape_server.signals.performance.calibration import State

LONGEST_WAIT = 5.0
"""Seconds that a busy event loop has to answer; then the process is told without its parts."""


def registry() -> CollectorRegistry:
    """A registry with the figures of the process."""
    found = CollectorRegistry()
    ProcessCollector(registry=found)
    GCCollector(registry=found)
    return found


class Metrics(Collector):
    """The figures of a server's parts."""

    def __init__(self, parts: Parts, loop: asyncio.AbstractEventLoop) -> None:
        self._parts = parts
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client; called on the thread of who asks."""
        alive = GaugeMetricFamily("glasstape_event_loop_answers", "1 while the event loop answers in time.")
        try:
            gathered = asyncio.run_coroutine_threadsafe(self._gather(), self._loop).result(LONGEST_WAIT)
        except concurrent.futures.TimeoutError:
            alive.add_metric([], 0)
            yield alive
            return
        alive.add_metric([], 1)
        yield alive
        yield from gathered

    async def _gather(self) -> list[Metric]:
        return [*self._process(), *self._engine(), *self._feed(), *self._market(), *self._models()]

    def _process(self) -> Iterator[Metric]:
        yield _gauge("glasstape_event_loop_tasks", "Tasks that are not done.", len(asyncio.all_tasks()))
        yield _gauge("glasstape_threads", "Threads of Python.", threading.active_count())
        certificates = self._parts.certificates
        if certificates is not None and certificates.expires is not None:
            yield _gauge(
                "glasstape_tls_certificate_expires_timestamp_seconds",
                "Unix time at which the server's certificate ends.",
                certificates.expires,
            )

    def _engine(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "glasstape_engine_queue_windows", "Windows that wait for the device.", labels=["lane"]
        )
        for lane, count in self._parts.engine.waiting.items():
            waiting.add_metric([lane], count)
        yield waiting
        yield _gauge(
            "glasstape_device_failed",
            "1 while the device is started anew.",
            self._parts.device_failed(),
        )

    def _feed(self) -> Iterator[Metric]:
        hub, pipeline = self._parts.hub, self._parts.pipeline
        bounds, stats = hub.bounds, hub.stats
        yield _gauge("glasstape_feed_subscribers", "Streams that are open.", hub.subscribers)
        yield _gauge("glasstape_feed_head_sequence", "Newest event that is published.", bounds.head)
        yield _gauge("glasstape_feed_earliest_sequence", "Oldest event of the journal.", bounds.earliest)
        yield _gauge(
            "glasstape_feed_furthest_behind_events",
            "Events that the slowest reader still has to get.",
            hub.max_lag,
        )
        yield _gauge(
            "glasstape_feed_waiting_bars", "Stored bars that wait for their signals.", pipeline.waiting
        )
        events = CounterMetricFamily("glasstape_feed_events", "Events published.", labels=["kind"])
        for kind in Kind:
            events.add_metric([kind.name.lower()], stats.published[kind])
        yield events
        yield _counter(
            "glasstape_feed_conflated", "Confidences replaced before a reader took them.", stats.conflated
        )
        yield _counter("glasstape_feed_gaps", "Stretches of events that were told as lost.", stats.gaps)
        yield _counter(
            "glasstape_feed_cut_off",
            "Readers that did not keep up and were disconnected.",
            stats.disconnected_slow,
        )
        yield _gauge(
            "glasstape_feed_failing", "1 while events cannot be journalled.", bool(pipeline.degraded_reason)
        )

    def _market(self) -> Iterator[Metric]:
        clock, ingest = self._parts.clock, self._parts.ingest
        yield _gauge("glasstape_market_waiting_bars", "Bars that wait to be stored.", ingest.waiting)
        yield _gauge("glasstape_market_failing", "1 while bars cannot be stored.", bool(ingest.trouble))
        if clock.last_close is not None:
            age = (clock.now() - clock.last_close) / SECOND
            yield _gauge("glasstape_feed_age_seconds", "Market time since the newest bar closed.", age)
        state = GaugeMetricFamily(
            "glasstape_market_state", "1 for what market data is now.", labels=["state"]
        )
        state.add_metric([clock.state(self._parts.interval).name.lower()], 1)
        yield state

    def _models(self) -> Iterator[Metric]:
        repository = self._parts.repository
        labels = ["name", "version", "digest", "active"]
        models = GaugeMetricFamily("glasstape_model", "1 for each model that serves.", labels=labels)
        holds = GaugeMetricFamily(
            "glasstape_model_calibrated",
            "1: confidences came true, 0: they did not; absent: unknown.",
            labels=["name"],
        )
        gaps = GaugeMetricFamily(
            "glasstape_model_confidence_gap",
            "Realised share less mean confidence of winners.",
            labels=["name"],
        )
        novel = GaugeMetricFamily("glasstape_model_novel_share", "Share of novel windows.", labels=["name"])
        serving = repository.models()
        for model in serving:
            ref = model.ref
            active = str(ref == repository.active.ref).lower()
            models.add_metric([ref.name, ref.version, ref.digest, active], 1)
            live = self._parts.live(ref.digest)
            if live is None or live.state is State.UNKNOWN:
                continue
            holds.add_metric([ref.name], live.state is State.HOLDS)
            gaps.add_metric([ref.name], live.winner_gap.value)
            novel.add_metric([ref.name], live.novel_share.value)
        yield from (models, holds, gaps, novel)
        yield _gauge(
            "glasstape_models_refused", "Versions that may not serve.", len(list(repository.refusals()))
        )


def serve(found: CollectorRegistry, host: str, port: int) -> tuple[int, Any]:
    """Answer GET /metrics on a thread of its own; returns the port and what `shutdown` ends.

    Raises:
        OSError: the address is taken.
    """
    server, _ = start_http_server(port, host, found)
    return server.server_port, server


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)
