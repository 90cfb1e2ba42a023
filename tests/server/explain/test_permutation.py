import numpy as np
import pytest
import torch
from glasstape_server.domain.times import DAY
from glasstape_server.explain.importance import parts_of, summarize
from glasstape_server.explain.permutation import (
    REPEATS,
    estimate,
    loss_increase,
    losses,
    passes,
    permuted,
)
from glasstape_server.explain.scores import Score
from networks import DEVIATION, attribute, rows_of
from torch import nn

SHAPE = (6, 8)


class LinearNetwork(nn.Module):
    """Logits of DOWN, FLAT and UP that are linear in the window."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, windows):
        score = (windows * self.weights).sum((1, 2))
        return torch.stack([-score, torch.zeros_like(score), score], 1)


def linear(seed=3):
    """A network that ignores feature 2 and bar 0, and its windows with the classes that it predicts."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=SHAPE).astype(np.float32)
    weights[:, 2], weights[0] = 0, 0
    windows = random.normal(size=(120, *SHAPE)).astype(np.float32)
    network = LinearNetwork(torch.from_numpy(weights))
    logits = network(torch.from_numpy(windows)).numpy()
    return network, windows, logits.argmax(1)


def increases(network, windows, labels):
    original = losses(network(torch.from_numpy(windows)).numpy(), 1.0, labels)
    columns = []
    for each in permuted(windows):
        logits = network(torch.from_numpy(each.windows)).numpy()
        columns.append(loss_increase(original, logits, 1.0, labels))
    return np.stack(columns, axis=1)


def closes(count):
    return (np.arange(count) + 1) * DAY


def test_what_a_network_ignores_has_neither_importance_nor_permutation_importance():
    network, windows, labels = linear()
    maps = attribute(network, rows_of(torch.from_numpy(windows)), "SCALED_PATH_GRADIENT").values.numpy()
    importance = summarize(maps, closes(120)).importance
    permutation = estimate(increases(network, windows, labels), closes(120), SHAPE[0])
    for number, part in enumerate(parts_of(SHAPE)):
        if part.feature == 2 or part.time == 0:
            assert importance.value[number] == importance.high[number] == 0
            assert permutation.value[number] == pytest.approx(0, abs=1e-12)
            assert permutation.high[number] == pytest.approx(0, abs=1e-12)
        else:
            assert importance.low[number] > 0
    features = permutation.value[[0, 1, 3, 4, 5, 6, 7]]
    assert (features > 0).all()  # the classes are those that it predicts


def test_importance_of_a_linear_score_is_its_weight_times_the_mean_departure():
    """|w| E sqrt((x - b)^2 + s^2); the sign is that of the weight."""
    network, windows, _ = linear()
    baseline = torch.linspace(-1, 1, 8).expand(120, *SHAPE)
    rows = rows_of(torch.from_numpy(windows), baseline)
    maps = attribute(network, rows, "SCALED_PATH_GRADIENT", score=Score.UP_MINUS_DOWN).values.numpy()
    result = summarize(maps, closes(120))
    departure = np.sqrt((windows - baseline.numpy()) ** 2 + DEVIATION.numpy() ** 2).mean(0)
    wanted = 2 * network.weights.numpy() * departure
    np.testing.assert_allclose(result.importance.value[14:], np.abs(wanted).ravel(), rtol=1e-4)
    np.testing.assert_allclose(result.signed_mean.value[14:], wanted.ravel(), rtol=1e-4)


def test_permuted_windows_take_one_part_from_other_windows():
    windows = np.arange(5 * 48, dtype=np.float32).reshape(5, *SHAPE)
    parts = parts_of(SHAPE)
    for each in permuted(windows):
        part, original = parts[each.part], np.tile(windows, (REPEATS, 1, 1))
        time = slice(None) if part.time is None else part.time
        feature = slice(None) if part.feature is None else part.feature
        changed = each.windows != original
        assert changed[:, time, feature].all()
        changed[:, time, feature] = False
        assert not changed.any()
        for copy in np.split(each.windows[:, time, feature], REPEATS):
            np.testing.assert_array_equal(np.sort(copy, axis=0), windows[:, time, feature])


def test_passes_counts_every_window_that_is_computed():
    windows = np.zeros((2, *SHAPE), np.float32)
    assert passes(SHAPE) * 2 == 2 + sum(len(each.windows) for each in permuted(windows))


def test_losses_are_those_of_the_calibrated_probabilities():
    logits, labels = np.array([[2.0, 0, -1], [800.0, 0, 0]], np.float32), np.array([0, 1])
    scaled = np.exp(logits[0] / 2.0)
    wanted = -np.log(scaled[0] / scaled.sum())
    np.testing.assert_allclose(losses(logits, 2.0, labels), [wanted, 400.0], rtol=1e-6)


def test_a_seed_gives_the_same_permutations():
    windows = np.random.default_rng(0).normal(size=(9, *SHAPE)).astype(np.float32)
    first, again, other = (next(permuted(windows, seed)).windows for seed in (1, 1, 50))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("count", [2, 3, 7])
def test_no_window_keeps_its_own_values(count):
    windows = np.arange(count * 48, dtype=np.float32).reshape(count, *SHAPE)
    for each in permuted(windows):
        assert (each.windows != np.tile(windows, (REPEATS, 1, 1))).any(axis=(1, 2)).all()
