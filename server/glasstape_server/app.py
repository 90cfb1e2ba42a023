"""The composition root: builds the server's parts, starts them in order and stops them."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from glasstape_server.access.quotas import Limits, Quotas
from glasstape_server.domain.signals import ModelRef
from glasstape_server.engine.device import Device
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.forecaster import PinnedForecaster
from glasstape_server.engine.rollout import roll_out, watch
from glasstape_server.market.clock import Clock
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository
from glasstape_server.operations import metrics
from glasstape_server.operations.call_metrics import CallMetrics
from glasstape_server.operations.components import Components
from glasstape_server.operations.engine_metrics import EngineMetrics
from glasstape_server.operations.health_monitor import HealthMonitor
from glasstape_server.rpc.batched_inference import BatchedInference
from glasstape_server.rpc.convert.close_encoder import encode_close
from glasstape_server.rpc.convert.info import server_info_to
from glasstape_server.rpc.convert.models import LiveFigures
from glasstape_server.rpc.convert.signals import decode_event
from glasstape_server.rpc.convert.stream import StreamEncoder
from glasstape_server.rpc.inference_servicer import InferenceServicer
from glasstape_server.rpc.market_servicer import MarketServicer
from glasstape_server.rpc.open_inference_servicer import OpenInferenceServicer
from glasstape_server.rpc.signal_servicer import SignalServicer
from glasstape_server.serving.inference import Inference
from glasstape_server.serving.inputs import Inputs
from glasstape_server.settings import Settings
from glasstape_server.signals.delivery.feed import FeedLimits
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.retention import Retention
from glasstape_server.signals.performance.live import Live
from glasstape_server.signals.performance.live_record import LiveRecord
from glasstape_server.signals.performance.shadow import Shadow
from glasstape_server.signals.pipeline import Codec, Pipeline, ProcessedBurst
from glasstape_server.startup import (
    active_model,
    build_access,
    check_address,
    check_shadow,
    load_recording,
    lock_data_folder,
    open_wires,
    optional_features,
    release_on_failure,
    serve_metrics,
)
from glasstape_server.stores import history_folder, open_stores
from glasstape_server.transport.call_batcher import CallBatcher, replies_on
from glasstape_server.transport.grpcio_server import SERVICES, Servicers, WireServer
from glasstape_server.transport.health import Health
from glasstape_server.transport.tracing import tracer

log = logging.getLogger(__name__)


class App:
    """One server over one data folder."""

    def __init__(self, settings: Settings) -> None:
        check_address(settings)
        self.settings = settings
        self._end = contextlib.ExitStack()
        """Closed last, in reverse order."""
        self._recording = load_recording(settings)
        folder = history_folder(settings)
        self._lock = lock_data_folder(settings.data_dir, folder, allow_shared=settings.allow_shared_storage)
        if self._recording is not None:
            shutil.rmtree(folder, ignore_errors=True)  # a replay always starts with an empty history
        with release_on_failure(self._lock):
            folder.mkdir(parents=True, exist_ok=True)
            self.access, self.audit = build_access(settings)
            if settings.traces:
                interceptor, provider = tracer(settings.traces)
                self.access = replace(self.access, tracers=(interceptor,))
                self._end.callback(provider.shutdown)
            self.device = Device(settings.device)
        self.registry = metrics.create_registry()
        self.engine_metrics = EngineMetrics(self.registry)
        self.call_metrics = CallMetrics(self.registry)
        self.metrics_port: int | None = None
        self._health = Health()
        self._device_failed = False
        self.clock = Clock()
        if self._recording is not None:
            self.clock.advance(self._recording.first_close)
        with release_on_failure(self._lock, f"data_dir: {folder}: "):
            self.stores = open_stores(settings, folder, self.clock, self._lock.lease)
        self.ingest, self.journal = self.stores.ingest, self.stores.journal
        readers = HistoryReaders(self.journal.history)
        limits = FeedLimits(queue=settings.subscriber_queue, patience=settings.subscriber_patience)
        self.hub = Hub(self.journal, readers, self.clock.now, limits)
        self.engine = Engine(
            torch_threads=settings.torch_threads,
            queue_windows=settings.queue_windows,
            max_batch_rows=self.device.max_batch_rows,
            restart_device=self._restart_device,
            observer=self.engine_metrics,
        )
        with release_on_failure(self._lock, "data_dir: "):
            archive = settings.data_dir / "artifacts"
            self.repository = Repository(settings.models_dir, archive, settings.interval, settings.model)
        inputs = Inputs(self.repository, self.ingest, self.hub, settings.interval, decode_event)
        quotas = Limits(settings.quota_streams, settings.quota_windows, settings.quota_explain)
        self.inference = Inference(inputs, self.engine, Quotas(quotas))
        keep, days = settings.journal_keep, settings.journal_max_age
        make_pipeline = partial(
            Pipeline,
            ingest=self.ingest,
            journal=self.journal,
            readers=readers,
            interval=settings.interval,
            active=lambda: PinnedForecaster(self.repository.active, self.engine),
            codec=Codec(encode_close, decode_event),
            retention=Retention(self.journal, readers, decode_event, keep=keep, days=days),
            on_signaled=self._count,
            close_grace_s=0.0 if self._recording else settings.close_grace,
        )
        self.pipeline = self.stores.pipeline(make_pipeline, lambda: settings.served_at(self.server.port))
        self.record = LiveRecord(readers, self.repository, decode_event)
        self.shadow = Shadow(self._shadow)
        self.ingest.on_closed, self.ingest.on_quotes = self.pipeline.notify, self.hub.quote
        self._components = Components(
            self.clock,
            self.ingest,
            self.engine,
            self.hub,
            self.pipeline,
            self.repository,
            self.record.of,
            lambda: self._device_failed,
            self.access.authorizer,
            self.access.tls,
            self._lock.lease,
            self.stores.member,
        )
        self._ready = asyncio.Event()
        self.lost = asyncio.Event()
        """Set when another process took the data folder over: this server must stop."""
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def lease_error(self) -> str:
        """Why the lease of the data folder is not valid; empty: it is."""
        return self._lock.lease.last_error

    async def start(self) -> str:
        """Start all parts; returns the address of clients once health reports SERVING.

        Raises:
            StartError: the port is taken, or no model may serve.
        """
        self._loop = asyncio.get_running_loop()
        self._lock.lease.on_lost = partial(self._loop.call_soon_threadsafe, self.lost.set)
        self._serve_metrics()
        self.server = self._server()
        self.health_monitor = HealthMonitor(self._components, self.engine_metrics, self.server, SERVICES)
        await self.stores.start()
        await self.hub.start()
        await self.server.start()
        self.ingest.load_calendars()
        await roll_out(self.repository, self.engine, self.device, self._announce)
        ref = active_model(self.settings, self.repository).ref
        head = self.hub.bounds.head
        check_shadow(self.settings, self.repository)
        self._ready.set()
        await self.pipeline.start()
        await self.server.set_ready(True)
        log.info("ready: model %s@%s, journal at %d", ref.name, ref.version, self.hub.bounds.head)
        self._spawn(self.health_monitor.run())
        self._spawn(self.stores.count_events(self.record, head))
        poll = self.settings.models_poll_interval
        self._spawn(watch(self.repository, self.engine, self.device, poll, self._announce))
        if self._recording is not None:
            from glasstape_server.market import replay  # with polars, which nothing else needs

            play = partial(replay.play, self._recording, self.ingest, self.pipeline.backlog)
            self._spawn(play(step=self.settings.replay_step, speed=self.settings.replay_speed))
        return self.settings.served_at(self.server.port)

    async def stop(self) -> None:
        """Drain: report NOT_SERVING, refuse bars, publish pending signals, end the streams, close."""
        end = asyncio.get_running_loop().time() + self.settings.drain_seconds

        def left() -> float:
            return max(0.0, end - asyncio.get_running_loop().time())

        for task in self._tasks:
            task.cancel()
        self.ingest.refuse()
        if hasattr(self, "server"):
            await self.server.set_not_serving()
        await self.pipeline.stop(left())
        await self.hub.drain(left())
        self._ready.set()  # ends the streams that wait for a model
        if hasattr(self, "server"):
            await self.server.stop(left())
        await self.ingest.close()
        self.engine.stop()
        await self.hub.close()
        await self.stores.close()
        if self.audit is not None:
            self.audit.close()
        self._end.close()
        self._lock.release()

    def _server(self) -> WireServer:
        settings, repository = self.settings, self.repository

        def active() -> tuple[ModelRef, Live | None] | None:
            ref = repository.active.ref if repository.models() else None
            return None if ref is None else (ref, self.record.of(ref.digest))

        batched = BatchedInference(self.inference, replies_on(self._loop))
        servicers = Servicers(
            application=self.inference,
            inference=InferenceServicer(
                CallBatcher(batched.predict, batched.cancel),
                CallBatcher(batched.explain, batched.cancel),
                self.inference,
                LiveFigures(self.record.of, self.shadow.of),
                lambda: server_info_to(self.server.wires, optional_features(settings, self.access)),
            ),
            market=MarketServicer(self.ingest, self.inference.quotas),
            signals=SignalServicer(
                self.hub,
                lambda: StreamEncoder(self.clock, active),
                self.inference,
                repository,
                self._ready,
                self.pipeline.backlog,
            ),
            open_inference=OpenInferenceServicer(self.inference, repository, self._health.serves),
            health=self._health,
        )
        return open_wires(settings, servicers, self.access, self.call_metrics, self._end)

    def _count(self, burst: ProcessedBurst) -> None:
        """Add a published burst to the live record and the shadow's queue."""
        self.stores.count_burst(self.record, burst)
        if burst.forecasts is not None and self.settings.shadow:
            self.shadow.offer(burst.forecaster, burst.forecasts, burst.closed.windows)

    def _shadow(self) -> PinnedForecaster | None:
        if not self.settings.shadow:
            return None
        return PinnedForecaster(self.repository.get(self.settings.shadow), self.engine)

    def _restart_device(self) -> None:
        """Called on the engine's thread: queued calls wait, and health reports the failure."""
        self._set_device_failed(True)
        self.device.restart(self.repository.models())
        self._set_device_failed(False)

    def _set_device_failed(self, failed: bool) -> None:
        self._device_failed = failed
        asyncio.run_coroutine_threadsafe(self.health_monitor.check(), self._loop)

    def _serve_metrics(self) -> None:
        if self.settings.metrics_port is None:
            return
        metrics.add_components(self.registry, self._components, self._loop)
        self.metrics_port, stop = serve_metrics(self.settings, self.registry, self._health, self._loop)
        self._end.callback(stop)

    async def _announce(self, model: Model) -> None:
        await self.server.set_serving(model.ref.name, True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(_log_failure)
        self._tasks.append(task)


def _log_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("%s ended", task.get_coro(), exc_info=task.exception())
