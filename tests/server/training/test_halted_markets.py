"""A market of noise with halts, in every way in which files state halts: no way of them adds skill."""

import numpy as np
import polars as pl
import pytest
from glasstape.cli import main
from glasstape_server.evaluation.synthetic import market, no_signal
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.artifact import load
from glasstape_server.training import dataset
from glasstape_server.training.usable_bars import UsableBars

SYMBOLS, BARS, HALT, HALTS = 20, 320, 12, 4
PRICES = ("open", "high", "low", "close")
RULE = LabelRule()


def with_halts():
    """Bars with a column `halted`; the close of a halted bar is that before the halt."""
    bars = market(no_signal, SYMBOLS, BARS, seed=5)
    random = np.random.default_rng(5)
    halted = np.zeros((SYMBOLS, BARS), dtype=bool)
    for row in halted:
        for start in random.integers(90, BARS - HALT, HALTS):
            row[start : start + HALT] = True
    close = pl.when("halted").then(None).otherwise(pl.col("close")).forward_fill().over("symbol")
    return bars.with_columns(halted=pl.Series(halted.ravel())).with_columns(close=close)


def filled(bars, **values):
    return bars.with_columns(
        **{name: pl.when("halted").then(value).otherwise(pl.col(name)) for name, value in values.items()}
    )


CLOSE = {name: pl.col("close") for name in PRICES}
VARIANTS = {
    "removed": (lambda bars: bars.filter(~pl.col("halted")), ""),
    "zeros": (lambda bars: filled(bars, open=0.0, high=0.0, low=0.0, volume=0.0), ""),
    "all zeros": (lambda bars: filled(bars, **dict.fromkeys(PRICES, 0.0), volume=0.0), "price"),
    "not a number": (
        lambda bars: filled(bars, open=float("nan"), high=float("nan"), low=float("nan"), volume=0.0),
        "missing",
    ),
    "close, volume 0": (lambda bars: filled(bars, **CLOSE, volume=0.0), ""),
    "close, volume 1": (lambda bars: filled(bars, **CLOSE, volume=1.0), "filled"),
}
"""How a file states halts, and the kinds that must be accepted."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, bars = tmp_path_factory.mktemp("halted"), with_halts()
    for name, (change, _) in VARIANTS.items():
        frame = change(bars).with_columns(date=pl.from_epoch("close_time", time_unit="us").dt.date())
        frame.drop("close_time", "halted").write_parquet(folder / f"{name}.parquet")
    return folder


def command(name, files, *options):
    return main(
        [*options, "--data", str(files / f"{name}.parquet"), "--close", "24:00", "--time-zone", "UTC"]
    )


@pytest.fixture(scope="module")
def manifests(files):
    """A model of each variant, trained with what must be accepted."""
    found = {}
    for name, (_, accepted) in VARIANTS.items():
        out = files / f"{name} models"
        options = ("--arch", "linear", "--epochs", "2", "--name", "m", "--out", str(out))
        accept = ("--accept", accepted) if accepted else ()
        assert command(name, files, "train", *options, *accept) == 0
        found[name] = load(out / "m" / "1").manifest
    return found


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "removed"])
def test_a_halt_adds_no_skill_however_it_is_written(manifests, name):
    assert manifests[name].metrics == manifests["removed"].metrics
    assert manifests[name].checks == manifests["removed"].checks
    assert manifests[name].data.sha256 == manifests["removed"].data.sha256


def test_noise_with_halts_has_no_skill(manifests):
    manifest = manifests["removed"]
    (skill,) = (check for check in manifest.checks if check.name == "skill")
    assert not skill.passed
    assert manifest.metrics["check/log_loss_gain"] < 0.002


@pytest.mark.parametrize("name", [name for name, (_, accepted) in VARIANTS.items() if accepted])
@pytest.mark.parametrize("subcommand", ["train", "evaluate"])
def test_halts_that_are_no_halted_bars_are_rejected_unless_accepted(
    files, name, subcommand, tmp_path, capsys
):
    accepted = VARIANTS[name][1]
    assert command(name, files, subcommand, "--out", str(tmp_path / "out")) == 1
    assert f"--accept {accepted}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_same_halts_would_have_been_credited_if_they_were_kept():
    """The control: bars of the halts, made usable by a trade, are FLAT by themselves and known to be."""
    bars = filled(with_halts(), **CLOSE, volume=1.0)
    kept = dataset.build(bars, "1d", FeatureSpec(), RULE)
    left_out = dataset.build([UsableBars.of(bars, {"filled"})], "1d", FeatureSpec(), RULE)
    shares = []
    for data in (kept, left_out):
        still = data.features[data.last, data.feature_names.index("close_return")] == 0
        flat = data.labels(data.fitted(RULE)) == 1
        shares.append((still.mean(), flat[still].mean() if still.any() else 0.0))
    assert shares[0][0] > 0.1
    assert shares[0][1] > 0.8
    assert shares[1][0] < 0.001
