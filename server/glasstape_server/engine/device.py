"""Where networks compute: an accelerator where there is one, and the CPU when it fails for good."""

import logging
from collections.abc import Iterable

import torch

from glasstape_server.explain.scores import OF_THE_WINNER
from glasstape_server.models.model import Model

log = logging.getLogger(__name__)

CPU = "cpu"


class Device:
    """The device of all models. Safe to use from any one thread at a time."""

    def __init__(self, wanted: str = "auto") -> None:
        """Choose.

        Args:
            wanted: "auto", "cpu", "cuda" or "cuda:N".

        Raises:
            ValueError: there is no such device here.
        """
        count = torch.cuda.device_count() if wanted != CPU else 0
        if wanted == "auto":
            wanted = "cuda" if count else CPU
        elif wanted != CPU and count <= (torch.device(wanted).index or 0):
            raise ValueError(f"device: {wanted} is not here; CUDA devices found: {count}")
        self.name = wanted
        """Where models are prepared from now on."""

    @property
    def rows_at_once(self) -> int:
        """Rows that the device computes in one go."""
        return 4096 if self.name == CPU else 20_480

    def prepare(self, model: Model) -> None:
        """Compile a model for the device; one that does not fit its memory runs on the CPU.

        Raises:
            torch.AcceleratorError: the device is out of order.
        """
        if self.name != CPU:
            try:
                model.capture(self.name, OF_THE_WINNER)
                return
            except torch.OutOfMemoryError as error:
                log.warning("model %s runs on the CPU: %s", model.ref.name, str(error).partition("\n")[0])
        model.compile()

    def restart(self, models: Iterable[Model]) -> None:
        """Prepare all models anew after the device failed; on the CPU if it cannot be had again.

        An error of CUDA stays with its process: what can be had back is the work, not the device.
        """
        models = list(models)
        try:
            for model in models:
                self.prepare(model)
        except torch.AcceleratorError as error:
            log.error("%s is out of order, computing on the CPU: %s", self.name, error)
            self.name = CPU
            for model in models:
                model.compile()
