"""Option --rolling of `train` and `evaluate`: training windows of the last time only."""

import json
from datetime import timedelta

import pytest
from glasstape.cli import main
from glasstape_server.models.artifact import load

SPLIT = ("--train-until", "2011-01-01", "--validate-until", "2012-01-01")


def data_of(folder, *options):
    base = ("train", "--data", "sample", "--arch", "linear", "--epochs", "1", "--name", "m")
    assert main([*base, "--out", str(folder), *SPLIT, *options]) == 0
    return load(folder / "m" / "1").manifest.data


def test_training_starts_within_the_rolling_window(tmp_path):
    whole, part = data_of(tmp_path / "a"), data_of(tmp_path / "b", "--rolling", "52w")
    assert part.training.last_close == whole.training.last_close
    assert part.validation == whole.validation
    assert part.training.windows < whole.training.windows
    length = part.training.last_close - part.training.first_close
    assert timedelta(days=355) < length <= timedelta(days=364)


@pytest.mark.parametrize("text", ["1y", "0d", "-1w", "1.5d", "", "week", "100000w"])
def test_a_bad_time_is_refused(tmp_path, capsys, text):
    with pytest.raises(SystemExit):
        main(["train", "--out", str(tmp_path / "out"), f"--rolling={text}"])
    rule = "must be a number 1-99999 with the unit m, h, d or w (minutes, hours, days, weeks)"
    assert f"argument --rolling: {rule}, is {text!r}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_rolling_window_without_training_windows_is_refused_before_the_fit(tmp_path, capsys):
    options = ("--data", "sample", "--rolling", "1m", "--out", str(tmp_path / "out"))
    assert main(["train", *options]) == 1
    error = capsys.readouterr().err
    assert "training: 0 labeled windows" in error
    assert "begins on 2011-01-01 (--rolling)" in error
    assert main(["evaluate", *options]) == 1
    assert "a longer --rolling if it is set" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_evaluation_states_its_rolling_window(tmp_path, capsys):
    base = ("evaluate", "--data", "sample", "--arch", "linear", "--epochs", "1", "--folds", "2")
    assert (
        main([*base, "--rolling", "104w", "--windows", "500", "--out", str(tmp_path), "--processes", "1"])
        == 0
    )
    about = json.loads((tmp_path / "metrics.json").read_text())["about"]
    assert about["plan"].endswith("training windows from the last 728 d (rolling)")
