"""Roll-out of new model versions: load, check, warm up, and swap in between two batches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from glasstape_server.engine.device import Device
from glasstape_server.engine.engine import Engine
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Repository

log = logging.getLogger(__name__)


Announce = Callable[[Model], Awaitable[None]]
"""Called with each version that starts to serve."""


async def roll_out(repository: Repository, engine: Engine, device: Device, announce: Announce) -> bool:
    """Poll the model folder once; return whether another version became active.

    A version that fails its checks or its warm-up is rejected with the reason; the versions that served before
    continue to serve.
    """
    before = {(r.name, r.version, r.stamp) for r in repository.refusals()}
    changed = False
    for model in await asyncio.to_thread(repository.discover):
        try:
            await asyncio.to_thread(device.prepare, model)
            await engine.warm(model)
        except Exception as error:  # a faulty artifact must not stop the server
            repository.refuse(model, f"warm-up failed: {error}")
            continue
        try:
            changed |= await asyncio.to_thread(repository.admit, model)
        except (ArtifactError, OSError) as error:
            repository.refuse(model, f"cannot be archived: {error}", permanent=False)
            continue
        await announce(model)
        log.info("model %s@%s is ready", model.ref.name, model.ref.version)
    changed |= await asyncio.to_thread(repository.follow_promotion)
    if changed:
        _log_active(repository.active)
    for refusal in repository.refusals():
        if (refusal.name, refusal.version, refusal.stamp) not in before:
            log.warning("model %s@%s rejected: %s", refusal.name, refusal.version, refusal.reason)
    return changed


def _log_active(model: Model) -> None:
    name = f"{model.ref.name}@{model.ref.version}"
    log.info("model %s is active", name)
    if not model.manifest.beats_base_rate:
        log.warning("model %s is not better than its base rate", name)
    for check in model.manifest.checks:
        if not check.passed:
            log.warning("model %s failed %s: %s", name, check.name, check.text)


async def watch(
    repository: Repository, engine: Engine, device: Device, interval: float, announce: Announce
) -> None:
    """Poll the model folder every `interval` seconds until canceled."""
    while True:
        await asyncio.sleep(interval)
        try:
            await roll_out(repository, engine, device, announce)
        except Exception:  # the next poll may find the folder repaired
            log.exception("polling the model folder failed")
