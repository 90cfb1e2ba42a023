import numpy as np
import pytest
import torch
from glasstape_server.domain.signals import Direction
from glasstape_server.explain.edits import MAX_EDIT, BarEditor, BarRules, FeatureEditor
from glasstape_server.explain.methods.counterfactual import smallest_flip
from glasstape_server.features.series import Series
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import latest_windows
from made_up import series
from networks import DEVIATION, make_scorer

SPEC = FeatureSpec()
VOLUME_DEVIATION = 0.5


def logits_of(scorer, window):
    return scorer(torch.from_numpy(window[None]))[0].numpy()


def reduce_margin(scorer, window):
    """Shift the head so that the margin of this window is 0.02."""
    logits = scorer(torch.from_numpy(window[None]))[0]
    winner, runner_up = logits.topk(2).indices
    scorer.network.head.bias[winner] -= logits[winner] - logits[runner_up] - 0.02


def edited(bars, bar):
    """Return the window of the bars with another last bar."""
    columns = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for name, value in zip(columns, bar, strict=True):
        columns[name][-1] = value
    stacked = {name: column[None] for name, column in columns.items()}
    series = Series(bars.close_time[None], **stacked, session=bars.session[None])
    return latest_windows(SPEC, series)[0][0]


@pytest.mark.parametrize("network", ["conv1d", "transformer", "linear", "axial"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_flip_is_a_valid_bar_and_changes_the_class(network, seed):
    scorer, bars = make_scorer(network), series(200, seed)
    rules = BarRules(tick=0.05, price_limit=0.1, previous_session_close=float(bars.close[-2]))
    editor = BarEditor(SPEC, bars, VOLUME_DEVIATION, rules)
    reduce_margin(scorer, editor.window)
    before = logits_of(scorer, editor.window)
    flip = smallest_flip(scorer, editor, before, None, seed=0)
    open_, high, low, close, volume = flip.bar
    assert low <= min(open_, close) <= max(open_, close) <= high
    assert volume >= 0
    assert volume == round(volume)
    assert np.abs(flip.edit).max() <= MAX_EDIT
    for value in flip.bar[:4]:
        on_tick = abs(value / 0.05 - round(value / 0.05)) < 1e-6
        unedited = value in editor.original[:4]  # a traded price, or one that widens high and low
        assert on_tick or unedited
        limits = (0.9 * bars.close[-2], 1.1 * bars.close[-2])
        assert min(limits[0], editor.original[2]) - 1e-9 <= value <= max(limits[1], editor.original[1]) + 1e-9
    after = logits_of(scorer, edited(bars, flip.bar))
    np.testing.assert_allclose(after, flip.logits, atol=1e-5)
    assert after.argmax() != before.argmax()


def test_the_window_before_the_edit_equals_that_of_the_signal():
    bars = series(200, 4)
    editor = BarEditor(SPEC, bars, VOLUME_DEVIATION, BarRules())
    stacked = Series(*(getattr(bars, name)[None] for name in Series.__dataclass_fields__))
    np.testing.assert_array_equal(editor.window, latest_windows(SPEC, stacked)[0][0])


def test_the_smallest_edit_of_a_linear_model_equals_the_closed_form(windows):
    """The decision boundary is a plane, so its nearest point has a closed form."""
    scorer = make_scorer("linear")
    window, deviation = windows[3].numpy(), DEVIATION.numpy()
    before = logits_of(scorer, window)
    weights = (scorer.network.head.weight.view(3, 6, 8)[:, -1]).numpy()  # per standard deviation
    winner = int(before.argmax())
    distances = [
        (before[winner] - before[other]) / np.linalg.norm(weights[winner] - weights[other])
        for other in range(3)
        if other != winner
    ]
    flip = smallest_flip(scorer, FeatureEditor(window, deviation), before, None, seed=0)
    if min(distances) > MAX_EDIT:
        assert flip is None
        return
    assert flip.size == pytest.approx(min(distances), rel=0.03)
    assert flip.bar is None


def test_only_the_last_bar_is_edited(windows):
    scorer, window = make_scorer("conv1d"), windows[0].numpy()
    flip = smallest_flip(scorer, FeatureEditor(window, DEVIATION.numpy()), logits_of(scorer, window), None, 0)
    np.testing.assert_array_equal(flip.window[:-1], window[:-1])
    assert (flip.window[-1] != window[-1]).any()


def test_a_foil_is_the_class_that_is_reached(windows):
    scorer, deviation = make_scorer("conv1d"), 3 * DEVIATION.numpy()
    reached = 0
    for window in windows.numpy():
        before = logits_of(scorer, window)
        for foil in Direction:
            flip = smallest_flip(scorer, FeatureEditor(window, deviation), before, foil, 0)
            if int(before.argmax()) == foil:
                assert flip is None
            elif flip is not None:
                assert logits_of(scorer, flip.window).argmax() == foil
                reached += 1
    assert reached > 0


def test_a_window_that_cannot_be_flipped_has_no_flip(windows):
    class Certain(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([9.0, 0.0, 0.0]).expand(len(x), 3)

    window = windows[0].numpy()
    editor = FeatureEditor(window, DEVIATION.numpy())
    assert smallest_flip(Certain(), editor, logits_of(Certain(), window), None, 0) is None


def test_the_search_is_reproducible(windows):
    scorer, window = make_scorer("conv1d"), windows[0].numpy()
    editor = FeatureEditor(window, DEVIATION.numpy())
    flips = [smallest_flip(scorer, editor, logits_of(scorer, window), None, 5) for _ in range(2)]
    np.testing.assert_array_equal(flips[0].window, flips[1].window)
