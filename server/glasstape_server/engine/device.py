"""Compute device of the models: an accelerator if available, the CPU otherwise or after it failed."""

import logging
from collections.abc import Iterable

import torch

from glasstape_server.explain.scores import PREDICTED_CLASS_SCORES
from glasstape_server.models.model import Model

log = logging.getLogger(__name__)

CPU = "cpu"


class Device:
    """Device of all models. Not safe to use from several threads at once."""

    def __init__(self, requested: str = "auto") -> None:
        """Select a device.

        Args:
            requested: "auto", "cpu", "cuda" or "cuda:N".

        Raises:
            ValueError: the device is not available.
        """
        count = torch.cuda.device_count() if requested != CPU else 0
        if requested == "auto":
            requested = "cuda" if count else CPU
        elif requested != CPU and count <= (torch.device(requested).index or 0):
            raise ValueError(f"device: {requested} is not available; CUDA devices: {count}")
        self.name = requested
        """Device that models are prepared for."""

    @property
    def max_batch_rows(self) -> int:
        """Rows that the device computes at once."""
        return 4096 if self.name == CPU else 20_480

    def prepare(self, model: Model) -> None:
        """Compile a model for the device; fall back to the CPU if the device has too little memory.

        Raises:
            torch.AcceleratorError: the device failed.
        """
        if self.name != CPU:
            try:
                model.capture(self.name, PREDICTED_CLASS_SCORES)
                return
            except torch.OutOfMemoryError as error:
                reason = str(error).partition("\n")[0]
                log.warning("model %s falls back to the CPU: %s", model.ref.name, reason)
        model.compile()

    def restart(self, models: Iterable[Model]) -> None:
        """Prepare all models again after the device failed; fall back to the CPU if it fails again.

        A CUDA error persists for the life of the process, so that the fallback is the usual outcome.
        """
        models = list(models)
        try:
            for model in models:
                self.prepare(model)
        except torch.AcceleratorError as error:
            log.error("%s failed; falling back to CPU: %s", self.name, error)
            self.name = CPU
            for model in models:
                model.compile()
