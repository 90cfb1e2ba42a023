import json

import pytest
from glasstape_server.cli.feature_file import read_spec
from glasstape_server.features.sets import SETS
from glasstape_server.features.spec import FeatureSpec


def test_sets_are_named_and_options_change_window_and_gap():
    assert read_spec("set1", None, None) == FeatureSpec()
    spec = read_spec("set2", 24, "split")
    assert spec.names == SETS["set2"]
    assert spec.window_shape == (24, len(SETS["set2"]))
    assert spec.session_gap == "split"


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_file_names_features_and_their_parameters(tmp_path, suffix):
    path = tmp_path / f"mine.{suffix}"
    values = {"features": ["range", "rsi"], "rsi_bars": 9, "window_bars": 12, "session_gap": "split"}
    path.write_text("\n".join(f"{k} = {json.dumps(v)}" for k, v in values.items()))
    if suffix == "json":
        path.write_text(json.dumps(values))
    spec = read_spec(str(path), None, None)
    assert spec == FeatureSpec(
        names=("range", "rsi"), parameters={"rsi_bars": 9}, window_bars=12, session_gap="split"
    )
    assert read_spec(str(path), 8, "span").window_shape == (8, 2)
    assert read_spec(str(path), 8, "span").session_gap == "span"


def test_a_file_may_begin_with_a_set(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('features = "set2"\nlong_volatility_bars = 120\n')
    spec = read_spec(str(path), None, None)
    assert spec.names == SETS["set2"]
    assert spec.look_back == 121


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"features": ["rsi", "mood"]}', "unknown feature 'mood', known are open_return, "),
        ('{"features": ["rsi"], "macd_fast": 3}', r"unknown parameters \['macd_fast'\]"),
        ('{"features": ["rsi"], "window_bars": 65}', "window_bars: must be 6-64, is 65"),
        ('{"features": ["rsi"], "window_bars": 5}', "window_bars: must be 6-64, is 5"),
        ('{"features": "set9"}', "must be a list of names, is set9"),
        ('["rsi"]', "must be a table such as .*, is a list"),
        ("features = ['rsi']", "is not JSON"),
        ("{}", "must be a list of names, is None"),
        ("[" * 100_000, "is not JSON"),
        ('{"features": ["rsi"], "clip": NaN}', "clip: must be"),
    ],
)
def test_a_file_that_names_no_spec_is_refused(tmp_path, content, text):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"^--features {path}: .*{text}"):
        read_spec(str(path), None, None)


def test_options_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"^--window: must be 6-64, is 5$"):
        read_spec("set1", 5, None)
    with pytest.raises(
        ValueError, match=r"^--features: must be set1, set2 or a JSON or TOML file such as .* 'set9'$"
    ):
        read_spec("set9", None, None)
