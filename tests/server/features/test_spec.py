import pytest
from glasstape_server.features.spec import FeatureSpec

BUNDLED_HASH = "f6cf77edd4791258d6d1118432f318c6bf15798d3c382434538443accddbeeb2"
"""What artifacts of the default spec carry; another value would make every one of them a stranger."""


def test_the_default_spec_keeps_the_hash_of_artifacts_on_disk():
    assert FeatureSpec().hash == BUNDLED_HASH


def test_the_hash_covers_features_their_order_and_every_parameter():
    spec = FeatureSpec()
    others = [
        FeatureSpec(names=spec.names[::-1]),
        FeatureSpec(window_bars=7),
        FeatureSpec(clip=5.0),
        FeatureSpec(session_gap="split"),
        *(FeatureSpec(parameters={name: 13}) for name in spec.parameters),
    ]
    assert len({spec.hash, *(other.hash for other in others)}) == len(others) + 1


@pytest.mark.parametrize("names", [("rsi",), ("close_return", "relative_volume"), FeatureSpec().names])
def test_a_spec_survives_its_json_whatever_features_it_names(names):
    spec = FeatureSpec(names=names, window_bars=4)
    assert FeatureSpec.from_dict(spec.to_dict()) == spec
    assert len(spec.descriptions) == len(names)


def test_only_parameters_of_its_features_belong_to_a_spec():
    assert set(FeatureSpec(names=("rsi", "close_return")).parameters) == {"rsi_bars"}
    with pytest.raises(ValueError, match=r"unknown parameters \['macd_fast'\]"):
        FeatureSpec(names=("rsi",), parameters={"macd_fast": 3})


def test_the_look_back_is_that_of_the_features_and_of_the_labels_volatility():
    assert FeatureSpec().look_back == 69
    assert FeatureSpec(names=("rsi",), parameters={"rsi_bars": 30}).look_back == 31
    assert FeatureSpec(names=("rsi",)).look_back == 21, "a label needs the volatility of 20 returns"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rsi_bars": 0}, "rsi_bars: must be a whole number, 1-1000, is 0"),
        ({"window_bars": 10**9}, "window_bars: must be a whole number, 1-1000"),
        ({"macd_fast": "12"}, "macd_fast: must be a whole number"),
        ({"average_bars": True}, "average_bars: must be a whole number"),
        ({"clip": float("nan")}, "clip: must be"),
        ({"session_gap": "jump"}, "session_gap: must be split or span, is 'jump'"),
        ({"extra": 1}, r"unknown parameters \['extra'\]"),
        ({"features": ["rsi", "mood"]}, "features: unknown feature 'mood', known are open_return"),
        ({"features": ["rsi", "rsi"]}, "one or more different names"),
        ({"features": []}, "one or more different names"),
        ({"features": "rsi"}, "must be a list of names"),
        ({"features": [1]}, "must be a list of names"),
    ],
)
def test_a_spec_that_cannot_be_computed_is_refused(change, text):
    with pytest.raises(ValueError, match=text):
        FeatureSpec.from_dict({**FeatureSpec().to_dict(), **change})
