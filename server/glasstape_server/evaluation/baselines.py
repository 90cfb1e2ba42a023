"""Baselines that every network is compared with."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.features.labels import LabelRule
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import Normalization

RULES = ("prior", "always_up", "last_direction")
"""Baselines that use nothing of the training windows but their class shares."""
CLASSIFIERS = ("logistic_regression", "gradient_boosting")
"""Baselines that are fitted on the same windows as the networks."""
_LAST_RETURN = "close_return"


def baselines_of(feature_names: Sequence[str]) -> tuple[str, ...]:
    """Return the baselines that windows of these features can be compared with: all that read none that is missing."""
    every = (*RULES, *CLASSIFIERS)
    return every if _LAST_RETURN in feature_names else tuple(n for n in every if n != "last_direction")


def rule_probabilities(name: str, test: Dataset, shares: Floats, rule: LabelRule) -> tuple[Floats, bool]:
    """Predict with a baseline that has no model.

    Args:
        name: one of `RULES`.
        test: windows to predict.
        shares: class shares of all training windows, (3,).
        rule: label rule, whose threshold classifies the last bar's return.

    Returns:
        Probabilities (n, 3), and whether they are more than an encoding of the predicted class.

    Raises:
        ValueError: the windows lack the feature that the baseline reads.
    """
    if name == "prior":
        return np.tile(shares, (len(test), 1)), True
    winner = np.full(len(test), int(Direction.UP))
    if name == "last_direction":
        # close_return is the last bar's return in units of volatility; the threshold k has the same unit.
        if _LAST_RETURN not in test.feature_names:
            raise ValueError(
                f"last_direction: needs the feature {_LAST_RETURN}, windows have {test.feature_names}"
            )
        returns = test.features[test.last, test.feature_names.index(_LAST_RETURN)]
        winner = (returns > rule.k).astype(np.int64) - (returns < -rule.k) + int(Direction.FLAT)
    return np.eye(3)[winner], False


class Classifier(Protocol):
    """Interface of scikit-learn's classifiers."""

    @property
    def classes_(self) -> Ints:
        """Class indices that occur in the training data, (class,)."""
        ...

    def fit(self, X: Floats, y: Ints) -> object:
        """Fit on windows X (n, cell) and class indices y (n,)."""
        ...

    def predict_proba(self, X: Floats) -> Floats:
        """Return the probabilities (n, class) of windows X (n, cell)."""
        ...


class ClassifierBaseline:
    """Classifier of scikit-learn on the flattened, normalized window."""

    def __init__(self, name: str, seed: int) -> None:
        self._model: Classifier = (
            LogisticRegression(max_iter=200)
            if name == "logistic_regression"
            # Without early stopping, whose validation set would be drawn at random from the training windows.
            else HistGradientBoostingClassifier(
                max_iter=100, learning_rate=0.05, max_leaf_nodes=15, early_stopping=False, random_state=seed
            )
        )

    def fit(self, training: Dataset, labels: Ints) -> None:
        """Fit on training windows and their class indices (n,)."""
        self._normalization = Normalization.of(training)
        self._model.fit(self._flat(training, slice(None)), labels)

    def logits(self, data: Dataset) -> Floats:
        """Return log probabilities, (n, 3), which a temperature can calibrate like a network's logits."""
        blocks = (slice(start, start + (1 << 16)) for start in range(0, len(data), 1 << 16))
        probabilities = np.concatenate([self._probabilities(data, rows) for rows in blocks])
        return np.asarray(np.log(np.maximum(probabilities, 1e-12)))

    def _probabilities(self, data: Dataset, rows: slice) -> Floats:
        """Return probabilities (n, 3); 0 for a class without training windows."""
        of_known = self._model.predict_proba(self._flat(data, rows))
        probabilities = np.zeros((len(of_known), 3))
        probabilities[:, self._model.classes_] = of_known
        return probabilities

    def _flat(self, data: Dataset, rows: slice) -> Floats:
        mean, deviation = self._normalization.mean.numpy(), self._normalization.deviation.numpy()
        windows = (data.windows(rows) - mean) / deviation
        return np.asarray(windows.reshape(len(windows), -1))
