"""`glasstape train`."""

import polars as pl
import pytest
from glasstape.cli import main
from glasstape_server.features.sets import SETS
from glasstape_server.models.artifact import load
from made_up import columns


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Unsorted bars of two symbols, and of one with too few."""
    parts = []
    for number, bars in enumerate((400, 400, 30)):
        values = dict(zip(("open", "high", "low", "close", "volume"), columns(bars, number), strict=True))
        dates = pl.date_range(pl.date(2015, 1, 1), pl.date(2030, 1, 1), "1d", eager=True)[:bars]
        parts.append(pl.DataFrame({"symbol": [f"S{number}"] * bars, "date": dates, **values}))
    file = tmp_path_factory.mktemp("data") / "prices.csv"
    pl.concat(parts).sample(fraction=1, shuffle=True, seed=0).write_csv(file)
    return file


def run(path, folder, *more):
    dates = ("--time-zone", "America/New_York", "--close", "16:00")
    return main(["train", "--data", str(path), *dates, "--out", str(folder), "--epochs", "1", *more])


def test_a_run_prints_how_it_read_the_file_and_the_artifacts(path, tmp_path, capsys):
    assert run(path, tmp_path, "--arch", "linear", "--seeds", "2", "--ensemble", "--version", "7") == 0
    captured = capsys.readouterr()
    assert "prices.csv: symbol = symbol, time = date" in captured.err
    assert "noted    short: 30 bars" in captured.err
    assert captured.out.split() == [
        f"{tmp_path}/prices-linear/7.0", f"{tmp_path}/prices-linear/7.1", f"{tmp_path}/prices-linear-ensemble/7",
    ]  # fmt: skip
    assert "glasstape models promote NAME@VERSION" in captured.err
    assert load(tmp_path / "prices-linear" / "7.0").manifest.data.symbols == ("S0", "S1", "S2")
    assert run(path, tmp_path, "--arch", "linear", "--seeds", "2", "--ensemble", "--version", "7") == 1
    assert "this version exists" in capsys.readouterr().err
    assert (
        run(path, tmp_path, "--arch", "linear", "--seeds", "2", "--ensemble", "--version", "7", "--resume")
        == 0
    )


def test_the_order_of_rows_does_not_matter(path, tmp_path):
    ordered = tmp_path / "prices.csv"
    pl.read_csv(path).sort("symbol", "date").write_csv(ordered)
    for file, name in ((path, "a"), (ordered, "b")):
        assert run(file, tmp_path / name, "--arch", "linear") == 0
    one, two = (load(tmp_path / name / "prices-linear" / "1").manifest.digest for name in "ab")
    assert one == two


def test_labels_may_use_a_triple_barrier(path, tmp_path):
    assert run(path, tmp_path, "--arch", "linear", "--labels", "triple_barrier", "--horizon", "4") == 0
    rule = load(tmp_path / "prices-linear" / "1").label_rule
    assert (rule.kind, rule.horizon_bars) == ("triple_barrier", 4)
    assert "first close beyond" in rule.text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--arch", "best"), "--arch: must be of conv1d"),
        (("--arch", ""), "is empty"),
        (("--ensemble",), "ensemble: must have 2-32 networks"),
        (("--horizon", "0"), "--horizon: must be 1 or more, is 0"),
        (
            ("--close", "25:00"),
            "--close: must be HH:MM or HH:MM:SS, 00:00-24:00 without an offset, is '25:00'",
        ),
        (("--train-until", "2014-01-01"), "training: 0 labeled windows"),
        (("--train-until", "soon"), "--train-until: must be YYYY-MM-DD, is 'soon'"),
        (("--version", "../1"), "version: must match"),
        (("--interval", "15m"), "without a time, but the bar interval is 15m"),
        (("--interval", "1w"), "S1: bars are 1 d apart in the median, the interval is 1w; set --interval 1d"),
    ],
)
def test_invalid_options_are_rejected_and_leave_no_output(path, tmp_path, capsys, options, text):
    assert run(path, tmp_path / "out", *options) == 1
    assert text in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def written(folder, change=None, bars=600):
    """A file of one symbol, changed by a function of its frame."""
    values = dict(zip(("open", "high", "low", "close", "volume"), columns(bars, 0), strict=True))
    dates = pl.date_range(pl.date(2015, 1, 1), pl.date(2030, 1, 1), "1d", eager=True)[:bars]
    frame = pl.DataFrame({"date": dates, **values})
    folder.mkdir(exist_ok=True)
    (change(frame) if change else frame).write_csv(folder / "one.csv")
    return folder / "one.csv"


def rows(first, last, **values):
    """Change the values of some rows."""
    chosen = pl.int_range(pl.len()).is_between(first, last, closed="left")
    return lambda frame: frame.with_columns(
        **{name: pl.when(chosen).then(value).otherwise(pl.col(name)) for name, value in values.items()}
    )


HALTED = {"open": 0.0, "high": 0.0, "low": 0.0, "volume": 0.0}


def test_halted_rows_are_left_out_and_noted(tmp_path, capsys):
    path = written(tmp_path, rows(100, 103, **HALTED))
    assert run(path, tmp_path / "out", "--arch", "linear") == 0
    error = capsys.readouterr().err
    assert "noted    halted: 3 halted bars" in error
    assert "windows: 522 of 600 bars; lost to: look-back 73, horizon 2, halted 3; 6 windows span" in error
    assert "Warning" not in error


def test_rejected_rows_are_left_out_only_if_their_kind_is_accepted(tmp_path, capsys):
    path = written(tmp_path, rows(200, 201, close=-37.63))
    assert run(path, tmp_path / "out", "--arch", "linear") == 1
    error = capsys.readouterr().err
    assert "(one.csv row 202): close must be finite and above 0" in error
    assert "pass --accept price (leaves out the bars of price)" in error
    assert not (tmp_path / "out").exists()
    assert run(path, tmp_path / "out", "--arch", "linear", "--accept", "price") == 0
    assert "price 1; 6 windows span bars that were left out" in capsys.readouterr().err
    without = written(tmp_path / "without", lambda frame: frame.filter(pl.int_range(pl.len()) != 200))
    assert run(without, tmp_path / "other", "--arch", "linear") == 0
    one, other = (load(tmp_path / name / "one-linear" / "1").manifest.data for name in ("out", "other"))
    assert one.sha256 == other.sha256


@pytest.mark.parametrize("command", [("train", "--report"), ("train",), ("evaluate",)])
def test_a_file_with_titles_only_has_no_bars(tmp_path, capsys, command):
    (tmp_path / "none.csv").write_text("date,open,high,low,close,volume\n")
    assert main([*command, "--data", str(tmp_path / "none.csv"), "--out", str(tmp_path / "out")]) == 1
    assert "there are no bars" in capsys.readouterr().err


def test_too_few_windows_are_explained(tmp_path, capsys):
    path = written(tmp_path, bars=200)
    assert run(path, tmp_path / "out", "--arch", "linear") == 1
    error = capsys.readouterr().err
    assert "labeled windows, at least 64 are required" in error
    assert "windows: 125 of 200 bars; lost to: look-back 73, horizon 2" in error


def test_features_and_window_are_free(path, tmp_path, capsys):
    mine = tmp_path / "mine.toml"
    mine.write_text('features = "set2"\nrsi_bars = 9\n')
    assert run(path, tmp_path, "--arch", "linear", "--features", str(mine), "--window", "12") == 0
    model = load(tmp_path / "prices-linear" / "1")
    assert model.window_shape == (12, len(SETS["set2"]))
    assert model.spec.parameters["rsi_bars"] == 9
    assert run(path, tmp_path, "--features", "set3") == 1
    assert "--features: must be set1, set2 or a JSON or TOML file" in capsys.readouterr().err


def test_a_network_that_takes_no_such_window_is_refused_before_the_data_is_read(path, tmp_path, capsys):
    one = tmp_path / "one.json"
    one.write_text('{"features": ["rsi"]}')
    assert run(path, tmp_path, "--arch", "conv2d", "--features", str(one)) == 1
    assert capsys.readouterr().err.endswith("glasstape train: conv2d: features must be 2 or more, is 1\n")
    assert run(path, tmp_path, "--arch", "linear", "--features", str(one)) == 0
