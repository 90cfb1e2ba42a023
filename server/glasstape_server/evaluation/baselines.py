"""Baselines that every network is compared with."""

from typing import Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from glasstape_server.domain.values import Direction, Floats, Ints
from glasstape_server.features.labels import LabelRule
from glasstape_server.training.batches import Normalisation
from glasstape_server.training.dataset import Dataset

RULES = ("prior", "always_up", "last_direction")
"""Baselines that learn nothing but class shares."""
LEARNED = ("logistic_regression", "gradient_boosting")
"""Baselines that see the same windows as the networks."""
_LAST_RETURN = "close_return"


def stated_by_rule(name: str, test: Dataset, shares: Floats, rule: LabelRule) -> tuple[Floats, bool]:
    """Return the probabilities of a baseline without a model.

    Args:
        name: of `RULES`.
        test: windows to predict.
        shares: class shares in training, (3,).
        rule: label rule, whose threshold decides the class of the last bar.

    Returns:
        Probabilities (n, 3), and whether they are probabilities rather than a mere class.

    Raises:
        ValueError: the windows lack the feature that the baseline reads.
    """
    if name == "prior":
        return np.tile(shares, (len(test), 1)), True
    winner = np.full(len(test), int(Direction.UP))
    if name == "last_direction":
        # The last bar's return in units of volatility is a feature, and the threshold is k of it.
        if _LAST_RETURN not in test.feature_names:
            raise ValueError(
                f"last_direction: needs the feature {_LAST_RETURN}, windows have {test.feature_names}"
            )
        moved = test.features[test.last, test.feature_names.index(_LAST_RETURN)]
        winner = (moved > rule.k).astype(np.int64) - (moved < -rule.k) + int(Direction.FLAT)
    return np.eye(3)[winner], False


class Classifier(Protocol):
    """The interface of scikit-learn's classifiers."""

    @property
    def classes_(self) -> Ints:
        """Labels of the training data."""
        ...

    def fit(self, X: Floats, y: Ints) -> object:
        """Fit to windows (n, time x feature) and labels (n,)."""
        ...

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities (n, class)."""
        ...


class LearnedBaseline:
    """A scikit-learn classifier on the flattened, normalized window."""

    def __init__(self, name: str, seed: int) -> None:
        self._model: Classifier = (
            LogisticRegression(max_iter=200)
            if name == "logistic_regression"
            # No early stopping: its validation set would be drawn at random out of the training windows.
            else HistGradientBoostingClassifier(
                max_iter=100, learning_rate=0.05, max_leaf_nodes=15, early_stopping=False, random_state=seed
            )
        )

    def learn(self, training: Dataset, labels: Ints) -> None:
        """Fit to training windows and their labels, (n,)."""
        self._normalisation = Normalisation.of(training)
        self._model.fit(self._flat(training, slice(None)), labels)

    def logits(self, data: Dataset) -> Floats:
        """Return log probabilities (n, 3), which a temperature calibrates like a network's logits."""
        parts = [self._three(data, slice(start, start + (1 << 16))) for start in range(0, len(data), 1 << 16)]
        return np.log(np.maximum(np.concatenate(parts), 1e-12))

    def _three(self, data: Dataset, rows: slice) -> Floats:
        """Return probabilities (n, 3), 0 for a class without training windows."""
        predicted = self._model.predict_proba(self._flat(data, rows))
        stated = np.zeros((len(predicted), 3))
        stated[:, self._model.classes_] = predicted
        return stated

    def _flat(self, data: Dataset, rows: slice) -> Floats:
        mean, deviation = self._normalisation.mean.numpy(), self._normalisation.deviation.numpy()
        windows = (data.windows(rows) - mean) / deviation
        return np.asarray(windows.reshape(len(windows), -1))
