import numpy as np
import pytest
import torch
from glasstape_server.features.compute import features
from glasstape_server.features.registry import Feature, bar_count, register, registered
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market import sample
from glasstape_server.models import artifact
from glasstape_server.settings import BUNDLED_MODELS
from glasstape_server.training import dataset
from made_up import series

BUNDLED = next(path.parent for path in BUNDLED_MODELS.glob("*/*/manifest.json"))


@pytest.fixture(scope="module")
def ninth():
    """A feature of a user: the close's place in the range of the bars before."""

    def compute(inputs):
        length = inputs.bars("range_bars")
        views = np.lib.stride_tricks.sliding_window_view(inputs.series.close, length, axis=-1)
        low, high = views.min(axis=-1), views.max(axis=-1)
        place = np.full_like(inputs.series.close, np.nan)
        place[..., length - 1 :] = (inputs.series.close[..., length - 1 :] - low) / (high - low)
        return place

    made = Feature(
        "range_place",
        "place of the close in the range of {range_bars} closes",
        compute,
        lambda values: int(values["range_bars"]),
        {"range_bars": bar_count(90, "closes in the range")},
    )
    register(made)
    return made


def test_an_artifact_of_eight_features_recomputes_exactly_after_a_ninth_is_registered(ninth):
    assert len(registered()) >= 9
    market = series(200)
    before = features(FeatureSpec(), market)
    model = artifact.load(BUNDLED)
    assert len(model.spec.names) == 8
    assert model.spec.hash == FeatureSpec().hash == model.ref.feature_spec_hash
    assert model.spec.min_bars == 74
    np.testing.assert_array_equal(features(model.spec, market), before)
    bars = dataset.build(sample.read(), sample.INTERVAL, model.spec, model.label_rule, "America/New_York")
    recomputed = {window.tobytes() for window in bars.windows()}
    assert all(window.tobytes() in recomputed for window in model.statistics.golden_windows.numpy())
    with torch.no_grad():
        logits = model.scorer(model.statistics.golden_windows)
    torch.testing.assert_close(logits, model.statistics.golden_logits, rtol=0, atol=1e-5)


def test_a_spec_may_name_the_ninth_beside_the_eight(ninth):
    spec = FeatureSpec(names=(*FeatureSpec().names, ninth.name), parameters={"range_bars": 80})
    rows = features(spec, series(200))
    np.testing.assert_array_equal(rows[:, :8], features(FeatureSpec(), series(200)))
    assert spec.look_back == 80
    assert np.isfinite(rows[79:]).all()
    assert not np.isfinite(rows[:79]).all(axis=1).any()
    assert spec.descriptions[-1] == "place of the close in the range of 80 closes"
    assert FeatureSpec.from_dict(spec.to_dict()) == spec


def test_a_name_is_registered_once_and_a_parameter_means_one_thing(ninth):
    with pytest.raises(ValueError, match="'range_place' is registered already"):
        register(ninth)
    other = Feature("other", "", ninth.compute, ninth.look_back, {"rsi_bars": bar_count(99, "")})
    with pytest.raises(ValueError, match="parameter 'rsi_bars' differs from that of 'rsi'"):
        register(other)
    assert "other" not in registered()
