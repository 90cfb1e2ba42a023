import numpy as np
import polars as pl
import pytest
from glasstape_server.bench import map_comparison
from glasstape_server.bench.explain_truth import TruthResult
from glasstape_server.bench.map_score import MapScore
from glasstape_server.bench.truth_task import BAYES, TruthTask

LEFT, RIGHT = ("OCCLUSION", "LOG_PROBABILITY"), ("GRADIENT", "MARGIN")


def result(kind, left, right, *, network="conv1d", seed=0, accuracy=0.9, steps=6, permuted=False):
    task = TruthTask(architecture=network, kind=kind, seed=seed, steps=steps, permuted=permuted)
    scores = [MapScore(*name, value, 1.0, []) for name, value in ((LEFT, left), (RIGHT, right))]
    return TruthResult(task, accuracy, 1, 0.1, 0.3, {}, scores, pl.DataFrame())


def test_seeds_are_averaged_and_sets_are_the_unit():
    results = [
        result("fixed", 0.9, 0.5, seed=0),
        result("fixed", 0.5, 0.7, seed=1),  # the mean of both seeds is +0.1
        result("fixed", 0.8, 1.0, network="conv2d"),
        result("moving", 0.9, 0.6),
        result("moving", 0.9, 0.8, steps=12),
    ]
    comparison = map_comparison.compare(results, LEFT, RIGHT)
    assert (comparison.cells_won, comparison.cells) == (3, 4)
    assert (comparison.sets_won, comparison.sets) == (2, 3)  # fixed is lost: +0.1 and -0.2
    assert comparison.difference == pytest.approx((-0.05 + 0.2) / 2)
    assert comparison.low == pytest.approx(-0.05)
    assert comparison.high == pytest.approx(0.2)


def test_the_interval_covers_the_mean_of_repeated_samples_of_sets():
    random = np.random.default_rng(0)
    kinds = ["fixed", "moving", "rare-time", "rare-feature", "switch", "state3", "freqshapes", "correlated"]
    covered = 0
    for _ in range(100):
        results = [result(kind, 0.5 + 0.1 + 0.2 * random.normal(), 0.5) for kind in kinds]
        comparison = map_comparison.compare(results, LEFT, RIGHT)
        covered += comparison.low < 0.1 < comparison.high
    assert 80 <= covered <= 99  # a percentile interval of eight values covers somewhat less than 95 %


def test_only_networks_that_learned_the_set_are_judged():
    results = [
        result("fixed", 0.9, 0.5, accuracy=0.74),
        result("weak", 0.9, 0.5, accuracy=0.6),
        result("state", 0.9, 0.5, accuracy=0.4),
        result("moving", 0.9, 0.5, network=BAYES),
        result("moving", 0.9, 0.5, permuted=True),
        result("null", float("nan"), float("nan")),
    ]
    assert map_comparison.judged(results) == {("weak", "6x8", "conv1d")}
    assert map_comparison.compare(results[:1], LEFT, RIGHT) is None
    assert map_comparison.to_markdown(results[:1]) == ""


def test_pairs_are_parsed_and_reported():
    (pair,) = map_comparison.parse_pairs(["occlusion.log_probability/gradient"])
    assert pair == (LEFT, RIGHT)
    text = map_comparison.to_markdown([result("fixed", 0.9, 0.5), result("moving", 0.6, 0.5)], [pair])
    assert text.splitlines()[-1] == (
        "| OCCLUSION of LOG_PROBABILITY | GRADIENT of MARGIN | 2/2 (100%) | 2/2 (100%) | +0.250 | +0.100 … +0.400 |"
    )
    for invalid in ("gradient", "gradient/magic", "gradient/occlusion.magic", "a/b/c"):
        with pytest.raises(ValueError, match="pairs: must"):
            map_comparison.parse_pairs([invalid])
