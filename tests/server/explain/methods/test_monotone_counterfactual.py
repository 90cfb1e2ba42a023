"""A looser bound never gives a larger counterfactual."""

import numpy as np
import pytest
import torch
from glasstape_server.domain.signals import Direction
from glasstape_server.explain.edits import BarEditor, BarRules, FeatureEditor
from glasstape_server.explain.methods.counterfactual import smallest_flip
from glasstape_server.features.spec import FeatureSpec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up import series
from networks import DEVIATION, make_scorer

SPEC = FeatureSpec()
BARS = 120
SCORERS = {name: make_scorer(name) for name in ("linear", "conv1d", "transformer", "xcm")}
LIMITS = (0.0, 0.1, 0.03, 0.02, 0.01, 0.004)
"""Loosest first; 0: none."""
EXAMPLES = settings(
    max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def cases(draw):
    """Bars, with ties: flat bars, equal prices, no volume, prices on a coarse tick; and a network near its boundary."""
    bars = series(BARS, draw(st.integers(0, 50)))
    tied = draw(st.sampled_from(["none", "flat", "all flat", "no volume", "close = high", "on the tick"]))
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    if tied == "flat":
        for name in ("open", "high", "low"):
            columns[name][-1] = columns["close"][-1]
    elif tied == "all flat":
        for name in ("open", "high", "low", "close"):
            columns[name][-30:] = columns["close"][-30]
    elif tied == "no volume":
        columns["volume"][-2:] = 0
    elif tied == "close = high":
        columns["high"][-1] = columns["close"][-1] = max(columns["high"][-1], columns["close"][-1])
    elif tied == "on the tick":
        for name in ("open", "high", "low", "close"):
            columns[name][:] = np.round(columns[name])
    scorer = SCORERS[draw(st.sampled_from(sorted(SCORERS)))]
    return bars, scorer, draw(st.sampled_from([0.0, 0.01, 0.2])), draw(st.sampled_from([0.0, 0.01, 0.05]))


def size(case, rules, foil=None):
    """Return the size of the smallest flip, inf if none was found; check the flip with a forward pass."""
    bars, scorer, gap, _ = case
    editor = BarEditor(SPEC, bars, 0.5, rules)
    logits = scorer(torch.from_numpy(editor.window[None]))[0].numpy()
    winner, runner_up = np.argsort(-logits)[:2]
    shift = np.zeros(3, dtype=np.float32)
    shift[winner] = logits[winner] - logits[runner_up] - np.float32(gap)
    tensor = torch.from_numpy(shift)

    def network(windows):
        return scorer(windows) - tensor

    before = network(torch.from_numpy(editor.window[None]))[0].numpy()
    flip = smallest_flip(network, editor, before, foil, seed=0)
    if flip is None:
        return np.inf
    after = network(torch.from_numpy(flip.window[None]))[0].numpy()
    assert after.argmax() != before.argmax()
    if foil is not None:
        assert after.argmax() == int(foil)
    check_allowed(editor, flip.bar, rules)
    return flip.size


def check_allowed(editor, bar, rules):
    open_, high, low, close, volume = bar
    assert 0 < low <= min(open_, close) <= max(open_, close) <= high
    assert volume >= 0
    for value in bar[:4]:
        if value in editor.original[:4]:
            continue
        if rules.tick:
            assert abs(value / rules.tick - round(value / rules.tick)) < 1e-6
        if rules.price_limit and rules.previous_session_close:
            low, high = (rules.previous_session_close * (1 + s * rules.price_limit) for s in (-1, 1))
            # The limit is never tighter than the unedited bar.
            assert min(low, editor.original[2]) - 1e-6 <= value <= max(high, editor.original[1]) + 1e-6


@EXAMPLES
@given(cases())
def test_a_looser_limit_never_gives_a_larger_edit(case):
    bars, _, _, tick = case
    close = float(bars.close[-2])
    sizes = [size(case, BarRules(tick, limit, close)) for limit in LIMITS]
    assert sizes == sorted(sizes)
    assert size(case, BarRules(tick, 0.004, 0.0)) == sizes[0]


@EXAMPLES
@given(cases(), st.sampled_from([0.01, 0.03, 0.25, 1 / 3]), st.sampled_from([0.0, 0.05, 0.02]))
def test_a_finer_tick_never_gives_a_larger_edit(case, tick, limit):
    close = float(case[0].close[-2])
    multiples = (1, 2, 6, 90)
    sizes = [size(case, BarRules(tick * multiple, limit, close)) for multiple in multiples]
    assert sizes == sorted(sizes)


@EXAMPLES
@given(cases(), st.sampled_from([0.01, 0.05, 0.5]), st.sampled_from([0.0, 0.02]))
def test_an_unknown_tick_never_gives_a_larger_edit(case, tick, limit):
    close = float(case[0].close[-2])
    assert size(case, BarRules(0.0, limit, close)) <= size(case, BarRules(tick, limit, close))


@EXAMPLES
@given(cases())
def test_any_class_never_takes_a_larger_edit_than_one_class(case):
    rules = BarRules(case[3], 0.1, float(case[0].close[-2]))
    assert size(case, rules) <= min(size(case, rules, foil) for foil in Direction)


@pytest.mark.parametrize("network", ["linear", "transformer"])
def test_any_class_takes_the_smallest_edit_of_features(network, windows):
    scorer = SCORERS[network]
    for window in windows.numpy()[:4]:
        editor = FeatureEditor(window, DEVIATION.numpy())
        before = scorer(torch.from_numpy(window[None]))[0].numpy()
        flips = [smallest_flip(scorer, editor, before, foil, 0) for foil in (None, *Direction)]
        any_class, *each = (np.inf if flip is None else flip.size for flip in flips)
        assert any_class <= min(each)


def test_a_price_at_its_limit_is_edited_the_other_way():
    """At limit up no price may rise: the search still finds the falls."""
    bars, scorer = series(BARS, 3), SCORERS["linear"]
    close = float(bars.close[-1])
    bars.high[-1] = close
    found = [
        size((bars, scorer, 0.01, 0.0), BarRules(0.01, 0.1, close / 1.1)),
        size((bars, scorer, 0.01, 0.0), BarRules(0.01, 0.1, close / 0.9)),
    ]
    assert np.isfinite(found).all()
