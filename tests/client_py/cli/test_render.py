"""Maps of any shape as text."""

import io
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from glasstape import Direction, Explanation, Heatmap, Method, Quantity, Score
from glasstape.cli.render import HeatmapTable, missing_text, short_names, small_map
from glasstape.testing import MODEL
from glasstape.types.inference import ModelFeature
from glasstape.words import bar_labels
from made_up import FIRST_CLOSE
from rich.console import Console

SET2 = (
    "open_return", "high_return", "rsi", "log_volatility", "volatility_ratio_short", "volatility_ratio_long",
    "range", "return_rank", "range_rank", "volatility_rank",
)  # fmt: skip


def model(steps, names=SET2):
    features = tuple(ModelFeature(name=n, description="", mean=0.0, standard_deviation=1.0) for n in names)
    return replace(MODEL, time_steps=steps, features=features)


def explanation(steps):
    values = np.random.default_rng(0).normal(size=(steps, len(SET2))).astype(np.float32)
    heatmap = Heatmap(
        values=values, quantity=Quantity.SENSITIVITY, native_shape=values.shape, upsampled=False
    )
    return Explanation(
        prediction=None, method=Method.GRADIENT, score_kind=Score.MARGIN, baseline=None, heatmap=heatmap,
        score=1.0, baseline_score=None, completeness_error=None, samples=0, target=Direction.UP, foil=None,
        quality=None, drivers=(), bar_close_times=tuple(FIRST_CLOSE + timedelta(days=n) for n in range(steps)),
    )  # fmt: skip


def printed(what, width):
    file = io.StringIO()
    Console(file=file, width=width).print(what)
    return file.getvalue()


@pytest.mark.parametrize("steps", [6, 17, 64])
@pytest.mark.parametrize("width", [80, 132])
def test_every_bar_and_number_of_a_map_is_drawn_within_the_width(steps, width):
    drawn = explanation(steps)
    text = printed(HeatmapTable(drawn, model(steps), "title"), width)
    label = bar_labels(drawn.bar_close_times, steps)
    words = text.replace("│", " ").split()
    assert "…" not in text
    assert [word for word in words if word in {label(row) for row in range(steps)}] == [
        label(row) for row in range(steps)
    ]
    numbers = sorted(float(word) for word in words if word[0] in "+-" and word[1:2].isdigit())
    np.testing.assert_allclose(numbers, np.sort(drawn.heatmap.values.ravel()), atol=6e-4)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("title") == 1


def test_features_keep_different_names_in_small_maps():
    names = short_names(SET2)
    assert len(set(names)) == len(SET2)
    assert [name.strip() for name in names[:3]] == ["open", "high", "rsi"]
    assert names[4:6] == ["vol_rat_sho", "vol_rat_lon"]
    assert short_names(["ab_cd", "abc_cde", "abc_cdef"])[1:] == ["abc_cde", "abc_cdef"]
    text = printed(small_map(explanation(7), model(7), "gradient"), 100)
    assert all(name.strip() in text for name in names)


def test_a_small_map_of_many_bars_fits_into_a_terminal():
    text = printed(small_map(explanation(64), model(64), "gradient"), 80)
    assert len(text.splitlines()) == len(SET2) + 5, "no row is broken"


def test_labels_of_bars_differ():
    years = [FIRST_CLOSE.replace(year=2015 + n) for n in range(3)]
    assert [bar_labels(years, 3)(row) for row in range(3)] == ["2015-01-05", "2016-01-05", "2017-01-05"]


def test_missing_bars_and_symbols_are_counted():
    assert missing_text(0, 0) == ""
    assert missing_text(1, 0) == "  1 bar missing"
    assert missing_text(2, 1) == "  2 bars and 1 symbol missing"
