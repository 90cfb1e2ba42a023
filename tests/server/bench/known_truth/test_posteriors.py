"""The Bayes-optimal classifiers, compared with drawn labels, with direct likelihoods and with trained networks."""

import itertools

import numpy as np
import pytest
import torch
from glasstape_server.bench.known_truth.noise import SharedFactors
from glasstape_server.bench.known_truth.sets import KINDS, WITHOUT_CELLS, truth_set
from glasstape_server.bench.truth_models import model_of
from glasstape_server.bench.truth_task import BAYES, TruthTask
from scipy import stats
from scipy.special import logsumexp, softmax

WITH_POSTERIOR = [kind for kind in KINDS if kind not in WITHOUT_CELLS]


def posterior_of(kind, windows, steps=6):
    with torch.no_grad():
        logits = truth_set(kind, steps, 8).posterior()(torch.from_numpy(windows).double())
    return torch.softmax(logits, 1).numpy()


@pytest.mark.parametrize(
    ("kind", "steps"),
    [*((kind, 6) for kind in WITH_POSTERIOR), ("state", 12), ("switch-feature", 24), ("weak", 24)],
)
def test_labels_are_drawn_with_the_posterior_probabilities(kind, steps):
    truth = truth_set(kind, steps, 8).draw(20_000, np.random.default_rng(3))
    stated = posterior_of(kind, truth.windows, steps)
    error = np.eye(3)[truth.labels] - stated
    variance = stated * (1 - stated)
    # The errors have mean 0 among windows that any function of the window chooses.
    normal = (truth.windows - truth.windows.mean(axis=0)) / truth.windows.std(axis=0)
    chosen = [normal[:, time, feature] > 0 for time in (0, -2, -1) for feature in (0, 1, 2, 5, 7)]
    bins = np.linspace(0, 1, 11)
    chosen += [(stated[:, c] >= low) & (stated[:, c] <= low + 0.1) for c in range(3) for low in bins[:-1]]
    tested = 0
    for rows in chosen:
        for label in range(3):
            expected = variance[rows, label].sum()
            if expected > 20:  # enough for a normal approximation
                assert abs(error[rows, label].sum()) < 4.5 * np.sqrt(expected)
                tested += 1
    assert tested >= 3


@pytest.mark.parametrize("kind", ["state3", "switch-feature"])
def test_hidden_state_posteriors_equal_a_sum_over_all_paths_of_a_gaussian_process(kind):
    source = truth_set(kind, 6, 8)
    chain, rule = source.chain, source.rule
    truth = source.draw(6, np.random.default_rng(1))
    lags = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    covariance = chain.deviation**2 * (chain.correlation**lags if chain.correlation else np.eye(6))
    by_row = []
    for window in truth.windows[:, :, :3].astype(float):
        weights = []
        for path in itertools.product(range(3), repeat=6):
            prior = -np.log(3) + sum(np.log(chain.change[i, j]) for i, j in itertools.pairwise(path))
            salient = [chain.salient[state] for state in path]
            by_class = []
            for label in range(3):
                mean = chain.means[list(path)].copy()
                labels = 0.0
                if kind == "state3":
                    mean[-1, salient[-1]] += rule.shift * (label - 1)
                else:
                    z = sum(window[t, salient[t]] - mean[t, salient[t]] for t in range(6 - source.bars, 6))
                    labels = np.log(softmax([-rule.slope * z, rule.bias, rule.slope * z])[label])
                density = sum(
                    stats.multivariate_normal.logpdf(window[:, f], mean[:, f], covariance) for f in range(3)
                )
                by_class.append(prior + labels + density)
            weights.append(by_class)
        by_row.append(softmax(logsumexp(weights, axis=0)))
    np.testing.assert_allclose(posterior_of(kind, truth.windows), by_row, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["moving", "heavy-tails", "correlated"])
def test_posteriors_of_blocks_equal_a_mixture_of_densities_over_positions(kind):
    truth = truth_set(kind, 6, 8).draw(20, np.random.default_rng(2))

    def log_density(windows):
        if kind == "correlated":
            return stats.multivariate_normal.logpdf(windows, np.zeros(8), SharedFactors(8).covariance).sum(-1)
        if kind == "heavy-tails":
            return stats.t.logpdf(windows * np.sqrt(3), 3).sum(axis=(1, 2))
        return stats.norm.logpdf(windows).sum(axis=(1, 2))

    by_class = []
    for shift in (-2.0, 0.0, 2.0):
        positions = []
        for top, left in itertools.product(range(5), range(6)):
            moved = truth.windows.astype(float)
            moved[:, top : top + 2, left : left + 3] -= shift
            positions.append(log_density(moved))
        by_class.append(logsumexp(positions, axis=0))
    expected = softmax(np.stack(by_class, axis=1), axis=1)
    np.testing.assert_allclose(posterior_of(kind, truth.windows), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("kind", WITH_POSTERIOR)
def test_posteriors_are_differentiable(kind):
    truth = truth_set(kind, 6, 8).draw(3, np.random.default_rng(4))
    statistics = truth_set(kind, 6, 8).draw(2000, np.random.default_rng(5)).normalization()
    posterior = truth_set(kind, 6, 8).posterior()
    normal = ((torch.from_numpy(truth.windows) - statistics.mean) / statistics.deviation).double()

    def logits(values):
        return posterior(values * statistics.deviation + statistics.mean)

    assert torch.autograd.gradcheck(logits, normal.requires_grad_(True))


@pytest.mark.parametrize("kind", ["moving", "state", "freqshapes"])
def test_no_trained_network_is_more_accurate(kind):
    test = truth_set(kind, 6, 8).draw(4000, np.random.default_rng(6))
    accuracies = {}
    for network in (BAYES, "conv1d"):
        task = TruthTask(architecture=network, kind=kind, windows=50_000, epochs=1)
        scorer = model_of(task, np.random.default_rng(7)).scorer
        with torch.no_grad():
            predicted = scorer(torch.from_numpy(test.windows)).argmax(1).numpy()
        accuracies[network] = (predicted == test.labels).mean()
    assert accuracies["conv1d"] > 0.5
    assert accuracies[BAYES] > accuracies["conv1d"] - 2 * np.sqrt(0.5 / len(test))
