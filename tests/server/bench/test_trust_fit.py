import numpy as np
import polars as pl
import pytest
from glasstape_server.bench.trust_fit import fit_trust, judge, rank_correlation, table_of, to_markdown
from glasstape_server.explain.trust import MapEvidence


def records(kind, n, seed, *, noise=False, slope=1.5, permuted=False):
    """Return maps whose precision depends on their deletion ratio."""
    random = np.random.default_rng(seed)
    ratio = np.exp(random.normal(0.3 if noise else 1.2, 0.6, n))
    quality = 1 / (1 + np.exp(-slope * (np.log(ratio) - 1)))
    chance = np.full(n, 0.2)
    precision = [None] * n if noise else list(chance + 0.8 * quality)
    return pl.DataFrame(
        {
            "set": kind, "shape": "6x8", "network": "conv1d", "seed": 0, "method": "GRADIENT", "score": "MARGIN",
            "permuted": permuted,
            "ranked_precision": pl.Series(precision, dtype=pl.Float64), "chance": chance,
            "probability": random.uniform(0.34, 0.4, n) if noise else random.uniform(0.6, 1, n),
            "concentration": random.uniform(0.05, 0.3, n), "native_cells": 48, "cells": 48, "trust": 0.5,
            "sign_agreement": random.uniform(0.5, 1, n),
            "deletion_mean": ratio, "random_deletion_mean": np.ones(n),
            "deletion_resampled": 1.5 * ratio, "random_deletion_resampled": np.ones(n),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def table():
    parts = [records(kind, 300, seed) for seed, kind in enumerate(("one", "two", "three"))]
    return table_of(pl.concat([*parts, records("null", 300, 9, noise=True)]))


def test_the_fit_finds_what_the_precision_depends_on(table):
    model = fit_trust(table)
    assert model.coefficients["log_deletion_ratio"] > 1
    assert abs(model.coefficients["sign_agreement"]) < 0.3
    scores = judge(table)
    assert scores.spearman > 0.85
    assert scores.noise_median < np.median(scores.values[~table.noise]) - 0.2


def test_trust_is_about_the_precision_beyond_chance(table):
    model, known = fit_trust(table), ~table.noise
    fitted = [
        model.value(
            MapEvidence(
                np.full(2, np.exp(row["log_deletion_ratio"])), np.ones(2), row["sign_agreement"],
                np.exp(row["log_relative_concentration"]) / 48, row["probability"], 48, 48,
            )
        )
        for row in (dict(zip(table.names, values, strict=True)) for values in table.predictors[known])
    ]  # fmt: skip
    np.testing.assert_allclose(np.mean(fitted), table.target[known].mean(), atol=0.03)


def test_a_set_never_judges_itself():
    """The only set in which the ratio means the opposite is judged by the others."""
    odd = records("odd", 200, 5, slope=-1.5)
    table = table_of(pl.concat([records("one", 200, 1), records("two", 200, 2), odd]))
    own = table.sets == "odd"
    assert rank_correlation(judge(table).values[own], table.target[own]) < -0.9


def test_every_set_has_the_same_weight():
    table = table_of(pl.concat([records("small", 50, 1), records("large", 500, 2)]))
    assert table.weight[table.sets == "small"].sum() == pytest.approx(0.5)


def test_bins_of_few_maps_are_joined_and_hold_every_map(table):
    bins = fit_trust(table).bins
    assert sum(part.maps for part in bins) == len(table.target)
    assert all(part.maps >= 30 for part in bins)
    assert bins[-1].below > 1


def test_the_report_names_both_figures(table):
    text = to_markdown(table)
    assert "1,200 maps of 4 sets" in text
    assert "Spearman" in text
    assert "noise" in text


def test_maps_of_networks_that_learned_shuffled_labels_are_noise():
    table = table_of(pl.concat([records("one", 50, 1), records("one", 60, 2, permuted=True)]))
    assert set(table.sets) == {"one", "one shuffled"}
    shuffled = table.sets == "one shuffled"
    assert (table.noise == shuffled).all()
    assert (table.target[shuffled] == 0).all()


def test_records_without_evidence_are_refused():
    with pytest.raises(ValueError, match="evidence"):
        table_of(records("one", 5, 1).with_columns(trust=pl.lit(None, pl.Float64)))
