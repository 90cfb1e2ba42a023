"""An evaluation agrees with a recomputation that shares no code with it: see `recomputed`."""

import numpy as np
import polars as pl
import pytest
from glasstape_server.evaluation import candidates
from glasstape_server.evaluation.candidates import EvaluationPlan
from glasstape_server.evaluation.evaluate import evaluate
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.training import dataset
from made_up import columns
from recomputed import DAY, folds_of, is_held_out, labels_of, metrics_of, windows_of

NAMES = ("open", "high", "low", "close", "volume")
SYMBOLS = [f"S{number:02d}" for number in range(14)]
FOLDS = 2
PLAN = EvaluationPlan(candidates=("prior", "linear"), folds=FOLDS, epochs=2, windows=1500)


@pytest.fixture(scope="module")
def markets():
    """Bars of each symbol, (6, bar); they begin on different days, and some days have no bar."""
    random, found = np.random.default_rng(3), {}
    for seed, symbol in enumerate(SYMBOLS):
        times = 18_000 * DAY + DAY * np.sort(random.choice(340, 300, replace=False))
        found[symbol] = np.vstack([times, columns(300, seed)])
    return found


@pytest.fixture(scope="module")
def evaluated(markets):
    """The data set, the raw predictions of each fold, and the evaluation."""
    frame = pl.concat(
        pl.DataFrame({"symbol": [symbol] * 300, "close_time": bars[0].astype(np.int64),
                      **dict(zip(NAMES, bars[1:], strict=True))})
        for symbol, bars in markets.items()
    )  # fmt: skip
    raw = []

    def keeping(*arguments, run=candidates.run):
        raw.extend(run(*arguments))
        return raw

    data = dataset.build(frame, "1d", FeatureSpec(), LabelRule())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "run", keeping)
        evaluation = evaluate(data, PLAN, cost=0.0)
    return data, raw, evaluation


@pytest.fixture(scope="module")
def recomputed(markets):
    """Windows of all symbols, ordered by time and then by symbol, with their number."""
    parts = [windows_of(bars) for bars in markets.values()]
    number = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    columns_ = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns_[1], kind="stable")
    return [column[order] for column in columns_] + [number[order]]


def test_features_returns_and_volatility_agree(evaluated, recomputed):
    data, (windows, times, known, sigma, returns, number) = evaluated[0], recomputed
    np.testing.assert_array_equal(data.close_time, times)
    np.testing.assert_array_equal(data.known_time, known)
    np.testing.assert_array_equal(data.symbol, number)
    np.testing.assert_allclose(data.windows(), windows, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(data.sigma, sigma, rtol=1e-12)
    np.testing.assert_allclose(data.outcomes(LabelRule())[1], returns, atol=1e-12)


def test_folds_thresholds_labels_and_metrics_agree(evaluated, recomputed):
    _, raw, evaluation = evaluated
    _, times, known, sigma, returns, number = recomputed
    held_out = np.array([is_held_out(symbol) for symbol in SYMBOLS])[number]
    assert held_out.any()
    for candidate in evaluation.candidates:
        stated, labels, priors = [], [], []
        for fold, (training, _, test) in enumerate(folds_of(times, known, held_out, FOLDS)):
            k = np.quantile((np.abs(returns) / sigma)[training], 1 / 3)
            assert evaluation.thresholds[fold] == pytest.approx(k, abs=1e-6)
            prior = (
                np.bincount(labels_of(returns, sigma, round(k, 6))[training], minlength=3) / training.sum()
            )
            (result,) = (r for r in raw if r.task.candidate == candidate.name and r.task.fold == fold)
            np.testing.assert_array_equal(result.labels, labels_of(returns, sigma, round(k, 6))[test])
            seen = ~held_out[test]
            stated.append(result.probabilities[seen].astype(float))
            labels.append(result.labels[seen])
            priors.append(np.tile(prior, (seen.sum(), 1)))
        expected = metrics_of(*(np.concatenate(part) for part in (stated, labels, priors)))
        assert len(np.concatenate(labels)) == evaluation.tested
        for name, value in expected.items():
            if candidate.name == "linear" or name in candidate.metrics:
                assert candidate.metrics[name].value == pytest.approx(value, abs=1e-6), name
