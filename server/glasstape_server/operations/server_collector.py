"""Metrics read from the server's components at scrape time, so that nothing is counted twice."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from glasstape_server.domain.errors import Unavailable
from glasstape_server.domain.signals import Kind
from glasstape_server.domain.times import SECOND
from glasstape_server.operations.cluster_metrics import cluster_metrics
from glasstape_server.operations.components import Components
from glasstape_server.operations.metric_family import MetricFamily
from glasstape_server.signals.performance.calibration import State
from glasstape_server.signals.performance.drift import MIN_SESSIONS

SCRAPE_TIMEOUT_S = 5.0
"""Time within which the event loop must respond; later, only the metrics of the process are returned."""

_LOOP_RESPONSIVE = MetricFamily(
    "glasstape_event_loop_responsive", f"1 if the event loop responds within {SCRAPE_TIMEOUT_S:g} s."
)
_LOOP_TASKS = MetricFamily("glasstape_event_loop_tasks", "Tasks that are not done.")
_THREADS = MetricFamily("glasstape_threads", "Python threads.")
_CERTIFICATE_EXPIRY = MetricFamily(
    "glasstape_tls_certificate_expiry_timestamp_seconds",
    "Unix time at which the server's certificate expires; absent without TLS.",
)
_TLS_HANDSHAKES = MetricFamily(
    "glasstape_tls_handshakes",
    "TLS connections whose handshake began; absent without TLS.",
    (),
    "counter",
)
_TLS_CONNECTIONS = MetricFamily(
    "glasstape_tls_connections",
    "TLS connections that sent a call; far fewer than handshakes means that handshakes fail.",
    (),
    "counter",
)
_QUEUE_WINDOWS = MetricFamily("glasstape_engine_queue_windows", "Windows queued for the device.", ("lane",))
_DEVICE_FAILED = MetricFamily("glasstape_device_failed", "1 while the device is being restarted.")
_SUBSCRIBERS = MetricFamily("glasstape_feed_subscribers", "Open signal streams.")
_HEAD = MetricFamily("glasstape_feed_head_sequence", "Sequence of the newest published event.")
_EARLIEST = MetricFamily("glasstape_feed_earliest_sequence", "Sequence of the oldest event in the journal.")
_MAX_LAG = MetricFamily("glasstape_feed_max_lag_events", "Events that the slowest subscriber lags behind.")
_SIGNAL_BACKLOG = MetricFamily(
    "glasstape_feed_backlog_bars", "Stored bars whose signals are not published yet."
)
_EVENTS = MetricFamily("glasstape_feed_events", "Events published.", ("kind",), "counter")
_CONFLATED = MetricFamily(
    "glasstape_feed_conflated", "Confidences replaced by newer ones before delivery.", (), "counter"
)
_GAPS = MetricFamily("glasstape_feed_gaps", "Sequence gaps reported to subscribers.", (), "counter")
_DISCONNECTED_SLOW = MetricFamily(
    "glasstape_feed_disconnected_slow", "Subscribers disconnected because they were too slow.", (), "counter"
)
_FEED_FAILING = MetricFamily("glasstape_feed_failing", "1 while events cannot be journaled.")
_INGEST_BACKLOG = MetricFamily("glasstape_market_backlog_bars", "Bars waiting to be stored.")
_INGEST_FAILING = MetricFamily("glasstape_market_failing", "1 while bars cannot be stored.")
_FEED_AGE = MetricFamily(
    "glasstape_feed_age_seconds", "Market time since the newest bar closed; absent before the first bar."
)
_MARKET_STATE = MetricFamily(
    "glasstape_market_state", "1 for the current state of the market data.", ("state",)
)
_MODEL = MetricFamily(
    "glasstape_model_info", "1 for each model that serves.", ("name", "version", "digest", "active")
)
_CALIBRATED = MetricFamily(
    "glasstape_model_calibrated",
    "1 if the model's confidences match realized frequencies within two points, 0 if they do not; absent while the "
    "outcomes cannot tell.",
    ("name", "version"),
)
_CONFIDENCE_GAP = MetricFamily(
    "glasstape_model_confidence_gap",
    "Realized hit rate minus mean confidence of the predicted class.",
    ("name", "version"),
)
_NOVEL = MetricFamily(
    "glasstape_model_novel_windows_ratio", "Ratio of novel windows, 0-1.", ("name", "version")
)
_DRIFTED = MetricFamily(
    "glasstape_model_inputs_drifted",
    "1 if the model's inputs no longer resemble its training data, else 0; absent before ten sessions.",
    ("name", "version"),
)
_SHIFTED = MetricFamily(
    "glasstape_model_shifted_features",
    "Features whose mean differs significantly from that of training; absent before ten sessions.",
    ("name", "version"),
)
_REJECTED = MetricFamily("glasstape_models_rejected", "Model versions that failed their checks.")

FAMILIES = tuple(value for value in globals().values() if isinstance(value, MetricFamily))
"""All metrics of this module."""


class ServerCollector(Collector):
    """Prometheus collector over the components of one server."""

    def __init__(self, components: Components, loop: asyncio.AbstractEventLoop) -> None:
        """Collect on a loop.

        Args:
            components: what to read.
            loop: the event loop that owns the components.
        """
        self._components = components
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        """Yield the families; see prometheus_client. Called on the thread of the scrape."""
        try:
            gathered = asyncio.run_coroutine_threadsafe(self._gather(), self._loop).result(SCRAPE_TIMEOUT_S)
        except concurrent.futures.TimeoutError:
            yield _LOOP_RESPONSIVE.scraped(0)
            return
        yield _LOOP_RESPONSIVE.scraped(1)
        yield from gathered

    async def _gather(self) -> list[Metric]:
        own = [*self._process(), *self._engine(), *self._feed(), *self._market(), *self._models()]
        return [*own, *cluster_metrics(self._components.cluster)]

    def _process(self) -> Iterator[Metric]:
        yield _LOOP_TASKS.scraped(len(asyncio.all_tasks()))
        yield _THREADS.scraped(threading.active_count())
        certificates = self._components.certificates
        if certificates is not None:
            yield _TLS_HANDSHAKES.scraped(certificates.connections.begun)
            yield _TLS_CONNECTIONS.scraped(certificates.connections.used)
            if certificates.expires is not None:
                yield _CERTIFICATE_EXPIRY.scraped(certificates.expires)

    def _engine(self) -> Iterator[Metric]:
        queued = self._components.engine.queued_windows
        yield _QUEUE_WINDOWS.scraped_by_label({(lane,): count for lane, count in queued.items()})
        yield _DEVICE_FAILED.scraped(self._components.device_failed())

    def _feed(self) -> Iterator[Metric]:
        hub, pipeline = self._components.hub, self._components.pipeline
        bounds, stats = hub.bounds, hub.stats
        yield _SUBSCRIBERS.scraped(hub.subscribers)
        yield _HEAD.scraped(bounds.head)
        yield _EARLIEST.scraped(bounds.earliest)
        yield _MAX_LAG.scraped(hub.max_lag)
        yield _SIGNAL_BACKLOG.scraped(pipeline.backlog().bars)
        yield _EVENTS.scraped_by_label({(kind.name.lower(),): stats.published[kind] for kind in Kind})
        yield _CONFLATED.scraped(stats.conflated)
        yield _GAPS.scraped(stats.gaps)
        yield _DISCONNECTED_SLOW.scraped(stats.disconnected_slow)
        yield _FEED_FAILING.scraped(bool(pipeline.degraded_reason))

    def _market(self) -> Iterator[Metric]:
        clock, ingest = self._components.clock, self._components.ingest
        yield _INGEST_BACKLOG.scraped(ingest.waiting)
        yield _INGEST_FAILING.scraped(bool(ingest.last_error))
        if clock.last_close is not None:
            yield _FEED_AGE.scraped((clock.now() - clock.last_close) / SECOND)
        state = clock.state().name.lower()
        yield _MARKET_STATE.scraped_by_label({(state,): 1})

    def _models(self) -> Iterator[Metric]:
        repository = self._components.repository
        refs = [model.ref for model in repository.models()]
        try:
            active = repository.active.ref
        except Unavailable:
            active = None
        yield _MODEL.scraped_by_label(
            {(ref.name, ref.version, ref.digest, str(ref == active).lower()): 1 for ref in refs}
        )
        live = {(ref.name, ref.version): self._components.live(ref.digest) for ref in refs}
        known = {key: each.calibration for key, each in live.items() if each is not None}
        told = {key: each for key, each in known.items() if each.state in (State.HOLDS, State.BROKEN)}
        yield _CALIBRATED.scraped_by_label({key: each.state is State.HOLDS for key, each in told.items()})
        judged = {key: each for key, each in known.items() if each.state is not State.UNKNOWN}
        yield _CONFIDENCE_GAP.scraped_by_label({key: each.winner_gap.value for key, each in judged.items()})
        drift = {key: each.drift for key, each in live.items() if each is not None and each.drift is not None}
        compared = {key: each for key, each in drift.items() if each.sessions >= MIN_SESSIONS}
        yield _NOVEL.scraped_by_label({key: each.novel_share.value for key, each in compared.items()})
        yield _DRIFTED.scraped_by_label({key: each.drifted for key, each in compared.items()})
        yield _SHIFTED.scraped_by_label(
            {key: sum(shift.significant for shift in each.shifts) for key, each in compared.items()}
        )
        yield _REJECTED.scraped(len(repository.refusals()))
