"""`--save-predictions`: raw predictions from which a reader recomputes what is reported."""

import json

import numpy as np
import polars as pl
import pytest
from glasstape.cli import main
from glasstape_server.models.artifact import load
from glasstape_server.training.run_registry import read_runs
from made_up import columns
from recomputed import DAY, is_held_out, metrics_of

SYMBOLS = [f"S{number:02d}" for number in range(14)]
BARS = 300
CLASSES = ("down", "flat", "up")


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    names = ("open", "high", "low", "close", "volume")
    times = pl.Series(18_000 * DAY + DAY * np.arange(BARS)).cast(pl.Datetime("us", "UTC"))
    path = tmp_path_factory.mktemp("bars") / "bars.parquet"
    prices = [dict(zip(names, columns(BARS, seed), strict=True)) for seed in range(len(SYMBOLS))]
    pl.concat(
        pl.DataFrame({"symbol": [symbol] * BARS, "close_time": times, **values})
        for symbol, values in zip(SYMBOLS, prices, strict=True)
    ).write_parquet(path)
    return path


def run(command, bars, folder, *more):
    fixed = [
        "--data",
        str(bars),
        "--time-zone",
        "UTC",
        "--stamp",
        "close",
        "--arch",
        "linear",
        "--epochs",
        "2",
    ]
    return main(
        [
            command,
            *fixed,
            "--out",
            str(folder / "out"),
            "--save-predictions",
            str(folder / "p.parquet"),
            *more,
        ]
    )


@pytest.fixture(scope="module")
def evaluated(bars, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    arguments = ("--folds", "2", "--seeds", "2", "--windows", "1500", "--processes", "1")
    assert run("evaluate", bars, folder, *arguments) == 0
    return (
        folder,
        json.loads((folder / "out" / "metrics.json").read_text()),
        pl.read_parquet(folder / "p.parquet"),
    )


def figures_of(rows):
    stated, prior = (
        rows.select([f"{prefix}{name}" for name in CLASSES]).to_numpy().astype(float)
        for prefix in ("", "prior_")
    )
    with np.errstate(divide="ignore", invalid="ignore"):  # candidates without probabilities have no log loss
        return metrics_of(stated, rows["label"].to_numpy().astype(int), prior)


def test_a_reader_recomputes_the_report(evaluated):
    _, report, predictions = evaluated
    assert set(predictions["candidate"]) == {candidate["name"] for candidate in report["candidates"]}
    for candidate in report["candidates"]:
        own = predictions.filter(candidate=candidate["name"])
        expected = figures_of(own.filter(held_out=False))
        compared = [name for name in expected if name in candidate["metrics"]]
        if candidate["name"] == "linear":
            assert len(compared) == len(expected)
        for name in compared:
            assert candidate["metrics"][name]["value"] == pytest.approx(expected[name], abs=1e-9), name
        held_out = own.filter(held_out=True)
        assert candidate["held_out"]["accuracy"]["value"] == pytest.approx(figures_of(held_out)["accuracy"])
        kept = own.filter(held_out=False).filter(
            pl.max_horizontal(CLASSES).cast(pl.Float64) >= pl.col("threshold")
        )
        assert candidate["abstaining"]["coverage"] == pytest.approx(
            len(kept) / len(own.filter(held_out=False))
        )


def test_each_window_is_there_once_with_its_identity(evaluated):
    _, report, predictions = evaluated
    own = predictions.filter(candidate="linear")
    key = own.select("symbol", "close_time", "seed")
    assert key.n_unique() == len(own) == 2 * (report["tested"] + report["tested_held_out"])
    assert set(own["fold"]) == {1, 2}
    assert set(own["seed"]) == {0, 1}
    assert {symbol for symbol in SYMBOLS if is_held_out(symbol)} == set(own.filter(held_out=True)["symbol"])
    assert own.schema["close_time"] == pl.Datetime("us", "UTC")
    sums = own.select(pl.sum_horizontal(CLASSES)).to_series()
    assert (sums - 1).abs().max() < 1e-6


def test_returns_and_labels_are_those_of_the_bars(evaluated, bars):
    report, own = evaluated[1], evaluated[2].filter(candidate="prior", seed=0)
    closes = pl.read_parquet(bars).select("symbol", "close_time", pl.col("close").log().alias("log"))
    ahead = [pl.col("log").shift(-number).over("symbol").alias(f"log{number}") for number in (1, 2)]
    joined = own.join(closes.with_columns(ahead), on=["symbol", "close_time"])
    assert len(joined) == len(own)
    returns = joined["log2"] - joined["log1"]
    assert (returns - joined["return"]).abs().max() < 1e-12
    assert (
        joined.filter(pl.col("label") == 2)["return"].min()
        > 0
        > joined.filter(pl.col("label") == 0)["return"].max()
    )
    shares = [(own["label"] == label).mean() for label in range(3)]
    assert report["class_shares"] == pytest.approx(shares, abs=1e-6)


def test_an_evaluation_is_recorded_with_its_files(evaluated):
    folder, report, _ = evaluated
    (record,) = read_runs([folder / "runs"]).records
    assert (record.kind, record.status, record.options["folds"]) == ("evaluate", "finished", 2)
    assert [output.path.rpartition("/")[2] for output in record.outputs] == ["metrics.json", "p.parquet"]
    for model, candidate in zip(record.models, report["candidates"], strict=True):
        assert model.name == candidate["name"]
        for name, metric in model.metrics.items():
            assert metric.model_dump() == candidate["metrics"][name]


def test_predictions_of_a_training_recompute_the_metrics_of_its_artifacts(bars, tmp_path):
    assert run("train", bars, tmp_path, "--seeds", "2", "--ensemble", "--name", "mine") == 0
    predictions = pl.read_parquet(tmp_path / "p.parquet")
    names = {"mine@1.0": "mine/1.0", "mine@1.1": "mine/1.1", "mine-ensemble@1": "mine-ensemble/1"}
    assert set(predictions["model"]) == set(names)
    for name, folder in names.items():
        manifest = load(tmp_path / "out" / folder).manifest
        for part in ("validation", "check"):
            own = predictions.filter(model=name, fold=part)
            assert len(own) == getattr(manifest.data, part).windows
            expected = figures_of(own)
            for figure in ("accuracy", "base_rate", "ece"):
                assert manifest.metrics[f"{part}/{figure}"] == pytest.approx(expected[figure], abs=1e-6)
        for figure in ("log_loss_gain", "flat_gain", "direction_gain", "hit_rate", "edge", "moved_hit_rate"):
            assert manifest.metrics[f"check/{figure}"] == pytest.approx(expected[figure], abs=1e-9), figure


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("p.csv", "must end in .parquet"),
        ("absent/p.parquet", "does not exist"),
        ("folder.parquet", "is a folder"),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_fitted(
    bars, tmp_path, capsys, command, name, message
):
    (tmp_path / "folder.parquet").mkdir()
    assert run(command, bars, tmp_path, "--save-predictions", str(tmp_path / name)) == 1
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "--save-predictions" in line)
    assert message in line
    assert not (tmp_path / "out").exists()
