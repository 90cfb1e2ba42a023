"""Training statistics of models, for the comparison with live windows."""

from collections.abc import Callable

import numpy as np

from glasstape_server.domain.errors import NotFound
from glasstape_server.domain.training_reference import TrainingReference, persistence
from glasstape_server.models.model import Model

SESSIONS_A_WEEK = 5


def training_reference(by_digest: Callable[[str], Model], digest: str) -> TrainingReference | None:
    """Return the statistics of a model's training windows; None for an unknown digest.

    Args:
        by_digest: the model of a digest; raises NotFound for one that is not known.
        digest: of the model.
    """
    try:
        model = by_digest(digest)
    except NotFound:
        return None
    statistics, period = model.statistics, model.manifest.data.training
    days = (period.last_close - period.first_close).days + 1
    return TrainingReference(
        tuple(model.spec.names),
        statistics.mean.numpy().astype(np.float64),
        statistics.deviation.numpy().astype(np.float64),
        persistence(np.linalg.inv(statistics.novelty_precision.double().numpy()), model.spec.window_bars),
        max(1, days * SESSIONS_A_WEEK // 7),
    )
