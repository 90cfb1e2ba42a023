"""Trees against the libraries that fitted them, and TreeSHAP against its definition."""

from itertools import permutations

import lightgbm
import numpy as np
import pytest
import torch
from glasstape_server.models.networks.tree_import import Node, import_trees
from glasstape_server.models.networks.trees import MAX_DEPTH, Trees, TreesConfig
from glasstape_server.training.boosting import lightgbm_node

SHAPE = (3, 4)


def windows_of(count, seed=0):
    windows = np.random.default_rng(seed).normal(size=(count, *SHAPE))
    return windows.round(1).astype(np.float32)  # with many values that are exactly equal


def labels_of(windows):
    score = windows[:, 0, 0] * windows[:, 1, 1] + windows[:, 2, 3]
    return np.digitize(score, [-0.5, 0.5])


@pytest.fixture(scope="module")
def fitted():
    """Return a booster of LightGBM and the imported trees."""
    windows = windows_of(3000)
    parameters = {
        "objective": "multiclass", "num_class": 3, "num_leaves": 12, "max_depth": 5, "min_data_in_leaf": 20,
        "use_missing": False, "num_threads": 1, "deterministic": True, "verbosity": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(windows.reshape(len(windows), -1), labels_of(windows))
    booster = lightgbm.train(parameters, data, 25)
    roots = [lightgbm_node(tree["tree_structure"], 3000) for tree in booster.dump_model()["tree_info"]]
    rounds = [roots[first : first + 3] for first in range(0, len(roots), 3)]
    return booster, import_trees(rounds, np.zeros(3), SHAPE, 5)


def test_imported_trees_compute_the_logits_of_lightgbm(fitted):
    booster, trees = fitted
    windows = windows_of(500, seed=1)
    expected = booster.predict(windows.reshape(500, -1), raw_score=True)
    np.testing.assert_allclose(trees(torch.from_numpy(windows)).numpy(), expected, atol=1e-5)


def test_logits_are_the_same_bits_in_any_batch_and_any_order_of_the_rounds(fitted):
    trees = fitted[1]
    windows = torch.from_numpy(windows_of(1500, seed=2))
    logits = trees(windows)
    assert torch.equal(logits, torch.cat([trees(window[None]) for window in windows]))
    turned = Trees(trees.config)
    turned.load_state_dict(
        {name: array if name == "bias" else array.flip(0) for name, array in trees.state_dict().items()}
    )
    assert torch.equal(logits, turned(windows))


def test_contributions_are_those_of_lightgbm_and_sum_to_the_logits(fitted):
    booster, trees = fitted
    windows = windows_of(200, seed=3)
    expected = booster.predict(windows.reshape(200, -1), pred_contrib=True).reshape(200, 3, -1)
    values = trees.paths.shapley_values(torch.from_numpy(windows).flatten(1))
    np.testing.assert_allclose(values.numpy(), expected[:, :, :-1], atol=1e-5)
    np.testing.assert_allclose(trees.paths.expected.numpy(), expected[0, :, -1], atol=1e-5)
    sums = values.sum(dim=2) + trees.paths.expected
    np.testing.assert_allclose(sums.numpy(), trees(torch.from_numpy(windows)).numpy(), atol=1e-6)


def leaf(value, cover):
    return Node(value=value, cover=cover)


def split(feature, threshold, *children):
    return Node(feature=feature, threshold=threshold, children=children)


SMALL = split(
    0, 0.1,
    split(1, -0.5, leaf(1.0, 7), split(0, -1.0, leaf(-2.0, 5), leaf(0.25, 11))),
    split(2, 0.0, split(0, 0.8, leaf(3.0, 2), leaf(-1.0, 9)), leaf(0.5, 6)),
)  # fmt: skip
"""Feature 0 is split three times, on two levels of the same path."""


def windows_below(node):
    return node.cover if not node.children else sum(map(windows_below, node.children))


def expectation(node, cells, known):
    """Return the mean value of a tree where only some cells are known, by the definition."""
    if not node.children:
        return node.value
    low, high = node.children
    if node.feature in known:
        return expectation(high if cells[node.feature] > node.threshold else low, cells, known)
    shares = [windows_below(child) / windows_below(node) for child in node.children]
    return sum(
        share * expectation(child, cells, known) for share, child in zip(shares, node.children, strict=True)
    )


def test_contributions_are_the_mean_gains_over_all_orders_of_the_cells():
    zero = leaf(0.0, 40)
    trees = import_trees([[SMALL, zero, zero], [zero, split(3, 0.2, leaf(0.5, 10), leaf(-1.5, 30)), zero]], np.zeros(3),
                         (2, 2), 4)  # fmt: skip
    cells = np.random.default_rng(4).normal(size=(20, 4)).astype(np.float32)
    values = trees.paths.shapley_values(torch.from_numpy(cells)).numpy()
    for row, window in enumerate(cells):
        expected = np.zeros(4)
        orders = list(permutations(range(4)))
        for order in orders:
            for place, cell in enumerate(order):
                before, after = (expectation(SMALL, window, order[: place + more]) for more in (0, 1))
                expected[cell] += (after - before) / len(orders)
        np.testing.assert_allclose(values[row, 0], expected, atol=1e-6)
        np.testing.assert_allclose(
            values[row, 1], [0, 0, 0, (-1.5 if window[3] > 0.2 else 0.5) + 1.0], atol=1e-6
        )
        assert not values[row, 2].any()


def test_a_value_that_equals_a_threshold_goes_to_the_left_as_in_double_precision():
    threshold = float(np.nextafter(np.float64(np.float32(0.3)), -1))  # just below a float32
    zero = leaf(0.0, 2)
    trees = import_trees(
        [[split(0, threshold, leaf(1.0, 1), leaf(2.0, 1)), zero, zero]], np.zeros(3), (1, 1), 1
    )
    below = float(np.nextafter(np.float32(0.3), np.float32(-1)))
    assert trees(torch.tensor([[[0.3]], [[below]]]))[:, 0].tolist() == [2.0, 1.0]


def test_a_deeper_tree_than_announced_is_rejected():
    with pytest.raises(ValueError, match="at most 2 splits"):
        import_trees([[SMALL, leaf(0.0, 1), leaf(0.0, 1)]], np.zeros(3), (2, 2), 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"rounds": 513}, "rounds"), ({"depth": MAX_DEPTH + 1}, "depth"), ({"rounds": 0}, "rounds"),
     ({"depth": 2.0}, "depth"), ({"features": -8}, "features")],
)  # fmt: skip
def test_sizes_have_bounds(changes, message):
    with pytest.raises(ValueError, match=message):
        Trees(TreesConfig(**changes))
