"""Gradient boosting of decision trees, by LightGBM or scikit-learn. Equal seeds give equal trees.

Friedman (2001), "Greedy function approximation: a gradient boosting machine"; on histograms, Ke et al. (2017),
"LightGBM: a highly efficient gradient boosting decision tree". The fitted trees are converted to `Trees`, which
serves without either library.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.signals import Direction
from glasstape_server.models.networks.architectures import RANK_OUTPUTS
from glasstape_server.models.networks.tree_import import Node, import_trees
from glasstape_server.models.networks.trees import CLASSES, MAX_DEPTH, MAX_ROUNDS, Trees
from glasstape_server.training.examples import Examples, Labels, batches_of
from glasstape_server.training.fit import EpochCallback
from glasstape_server.training.ranges import MAX_COUNT, MAX_SEED, check_range

_BATCH = 1 << 16
MAX_LEAVES = 1 << MAX_DEPTH


@dataclass(frozen=True, kw_only=True)
class BoostingOptions:
    """Hyperparameters of gradient boosting."""

    seed: int = 0
    """Seed of the cells that splits choose from, and of the histogram sample."""
    rounds: int = 300
    """Largest number of rounds; each adds one tree per class."""
    patience: int = 30
    """Rounds without a better validation loss after which boosting stops."""
    learning_rate: float = 0.05
    """Factor of each tree's values."""
    leaves: int = 15
    """Largest number of leaves of a tree."""
    depth: int = MAX_DEPTH
    """Largest number of splits from root to leaf."""
    leaf_windows: int = 100
    """Least number of training windows of a leaf."""
    features: float = 0.5
    """Share of the cells that a split chooses from, drawn at random for each."""
    l2: float = 1.0
    """L2 penalty of leaf values."""

    def __post_init__(self) -> None:
        check_range(self, "seed", 0, MAX_SEED)
        check_range(self, "rounds", 1, MAX_ROUNDS)
        for name in ("patience", "leaf_windows"):
            check_range(self, name, 1, MAX_COUNT)
        check_range(self, "leaves", 2, MAX_LEAVES)
        check_range(self, "depth", 1, MAX_DEPTH)
        for name in ("learning_rate", "features"):
            check_range(self, name, 0, 1, above=True)
        check_range(self, "l2", 0, MAX_COUNT)

    @property
    def limit(self) -> int:
        """Largest number of rounds."""
        return self.rounds


def boost(
    library: str,
    training: Examples,
    validation: Examples,
    options: BoostingOptions,
    on_round: EpochCallback = lambda number, training, validation: None,
) -> Trees:
    """Fit trees on normalized windows; return those up to the round of the best validation loss.

    Labels that are class indices give logits of the classes; fractional ones are regressed on, with one output.

    Args:
        library: "lightgbm", or "trees" for scikit-learn.
        training: examples to train on.
        validation: later examples, for early stopping.
        options: hyperparameters.
        on_round: called after each round, by scikit-learn after the last one.

    Raises:
        ValueError: a class has no training window, or LightGBM is not installed.
    """
    windows, labels = _arrays(training)
    if _outputs(labels) == CLASSES and (missing := [d.name for d in Direction if not (labels == d).any()]):
        raise ValueError(
            f"labels: gradient boosting needs training windows of every class, none is {missing[0]}"
        )
    fit = _fit_lightgbm if library == "lightgbm" else _fit_scikit_learn
    steps, width = windows.shape[1:]
    flat = windows.reshape(len(windows), -1)
    checked, checked_labels = _arrays(validation)
    nodes, bias = fit((flat, labels), (checked.reshape(len(checked), -1), checked_labels), options, on_round)
    return import_trees(nodes, bias, (steps, width), options.depth)


def check_installed(library: str) -> None:
    """Check that a library of gradient boosting is installed.

    Raises:
        ValueError: it is not.
    """
    if library == "lightgbm":
        _lightgbm()


def _lightgbm() -> Any:
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise ValueError(
            f"lightgbm: must be installed (glasstape-server[lightgbm]); 'trees' boosts without it: {error}"
        ) from None
    return lightgbm


def _arrays(examples: Examples) -> tuple[Float32s, Labels]:
    """Return windows (n, time, feature) and labels (n,)."""
    parts = [(windows.numpy(), labels.numpy()) for windows, labels in batches_of(examples, _BATCH)]
    return np.concatenate([w for w, _ in parts]), np.concatenate([y for _, y in parts])


_Part = tuple[Float32s, Labels]
"""Flattened windows (n, cell) and labels (n,)."""


def _outputs(labels: Labels) -> int:
    """Return the number of trees of a round: one for each class, one for a regression."""
    return CLASSES if np.issubdtype(labels.dtype, np.integer) else RANK_OUTPUTS


def _fit_lightgbm(
    training: _Part, validation: _Part, options: BoostingOptions, on_round: EpochCallback
) -> tuple[list[list[Node]], Floats]:
    """Return the root of each tree by round and output, and the bias (output,).

    Raises:
        ValueError: LightGBM is not installed.
    """
    lightgbm = _lightgbm()
    outputs = _outputs(training[1])
    parameters = {
        "objective": "multiclass" if outputs == CLASSES else "regression",
        "num_class": outputs,
        "num_leaves": options.leaves,
        "max_depth": options.depth,
        "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.leaf_windows,
        "lambda_l2": options.l2,
        "feature_fraction_bynode": options.features,
        "seed": options.seed,
        "deterministic": True,
        "force_row_wise": True,
        "use_missing": False,
        "num_threads": torch.get_num_threads(),
        "verbosity": -1,
    }
    data = lightgbm.Dataset(*training, params=parameters)
    checked = lightgbm.Dataset(*validation, reference=data, params=parameters)

    def report(environment: Any) -> None:
        losses = {name: loss for name, _, loss, _ in environment.evaluation_result_list}
        on_round(environment.iteration + 1, losses["training"], losses["validation"])

    stop = lightgbm.early_stopping(options.patience, first_metric_only=True, verbose=False)
    booster = lightgbm.train(
        parameters,
        data,
        options.rounds,
        valid_sets=[data, checked],
        valid_names=["training", "validation"],
        callbacks=[report, stop],
    )
    dump = booster.dump_model(num_iteration=max(1, booster.best_iteration))
    roots = [lightgbm_node(tree["tree_structure"], len(training[1])) for tree in dump["tree_info"]]
    return [roots[first : first + outputs] for first in range(0, len(roots), outputs)], np.zeros(outputs)


def lightgbm_node(node: dict[str, Any], windows: int) -> Node:
    """Return a node of `Booster.dump_model`; `windows`: of a tree of one leaf, whose count is not stated."""
    if "leaf_value" in node:
        return Node(value=node["leaf_value"], cover=node.get("leaf_count") or windows)
    children = tuple(lightgbm_node(node[side], windows) for side in ("left_child", "right_child"))
    return Node(feature=node["split_feature"], threshold=node["threshold"], children=children)


def _fit_scikit_learn(
    training: _Part, validation: _Part, options: BoostingOptions, on_round: EpochCallback
) -> tuple[list[list[Node]], Floats]:
    """Return the root of each tree by round and output, and the bias (output,)."""
    classes = _outputs(training[1]) == CLASSES
    model = (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(
        max_iter=options.rounds,
        learning_rate=options.learning_rate,
        max_leaf_nodes=options.leaves,
        max_depth=options.depth,
        min_samples_leaf=options.leaf_windows,
        l2_regularization=options.l2,
        max_features=options.features,
        early_stopping=True,
        n_iter_no_change=options.patience,
        tol=0.0,
        scoring="loss",
        random_state=options.seed,
    )
    model.fit(*training, X_val=validation[0], y_val=validation[1])
    losses = -np.asarray(model.validation_score_)  # before the first round, then after each
    best = max(1, int(losses.argmin()))
    on_round(len(losses) - 1, float(-model.train_score_[best]), float(losses[best]))
    roots = [[_scikit_learn_node(tree.nodes, 0) for tree in trees] for trees in model._predictors[:best]]
    return roots, np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)


def _scikit_learn_node(nodes: Any, number: int) -> Node:
    """Return a node of a tree of scikit-learn's."""
    node = nodes[number]
    if node["is_leaf"]:
        return Node(value=float(node["value"]), cover=int(node["count"]))
    children = tuple(_scikit_learn_node(nodes, int(node[side])) for side in ("left", "right"))
    return Node(feature=int(node["feature_idx"]), threshold=float(node["num_threshold"]), children=children)
