"""The data report rejects bars that would bias training, and only those."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from glasstape.barfile import BarFileOptions, close_of
from glasstape.cli import main
from glasstape_server.domain.times import INTERVALS
from glasstape_server.market import sample
from glasstape_server.market.files import BarFiles
from glasstape_server.training.data_inspection import DataInspection, inspect

DAY = INTERVALS["1d"]
DAYS = BarFileOptions(time_zone="UTC", close=close_of("24:00"))
DATES = ("--time-zone", "UTC", "--close", "24:00")
START = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def bars(count=300, symbol="A", seed=0, step=DAY):
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opened = close * np.exp(random.normal(0, 0.002, count))
    return pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "close_time": START + step * np.arange(count),
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": random.integers(900, 1100, count).astype(float),
        }
    )


def findings_of(frame, interval="1d"):
    return {finding.kind: finding for finding in inspect(frame, interval).findings}


def changed(frame, row, **values):
    columns = {name: frame[name].to_numpy().copy() for name in values}
    for name, value in values.items():
        columns[name][row] = value
    return frame.with_columns(**{name: pl.Series(column) for name, column in columns.items()})


def scaled(frame, first, factor):
    late = pl.int_range(pl.len()) >= first
    prices = ("open", "high", "low", "close")
    return frame.with_columns(*(pl.when(late).then(pl.col(n) * factor).otherwise(pl.col(n)) for n in prices))


def test_ordinary_bars_have_no_findings():
    report = inspect(pl.concat([bars(), bars(symbol="B", seed=1)]), "1d")
    assert report.findings == ()
    assert "600 bars of 2 symbols, 2020-01-01 to 2020-10-26: no findings" in report.to_text()


def test_the_sample_is_accepted():
    assert inspect(sample.read(), "1d").rejected() == ()


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (pl.concat([bars(), changed(bars(), 7, volume=1.0).slice(7, 2)]), "conflict"),
        (changed(bars(), 5, close=0.0), "price"),
        (changed(bars(), 5, high=float("nan")), "price"),
        (changed(bars(), slice(5, 9), low=200.0), "band"),
        (changed(bars(), 5, low=bars()["open"][5] * 1.0001, high=200.0), "band"),
        (changed(bars(), 5, volume=float("nan")), "volume"),
        (changed(bars(), 5, volume=-1.0), "volume"),
        (scaled(bars(), 150, 0.2), "split"),
        (scaled(bars(), 150, 10.0), "split"),
        (
            scaled(scaled(scaled(bars(), 150, 1.6), 170, 0.6), 180, 1.7)
            .vstack(bars(symbol="B"))
            .slice(100, 120),
            "jump",
        ),
        (bars(step=INTERVALS["5m"]), "interval"),
        (pl.concat([bars(), bars(symbol="A B")]), "symbol"),
        (bars().with_columns(close_time=pl.col("close_time") + 40_000 * DAY), "time"),
        (bars().with_columns(close_time=pl.col("close_time") + 20_000 * DAY), "future"),
        (
            changed(bars(), slice(0, 200), volume=0.0, high=100.0, low=100.0, open=100.0, close=100.0),
            "no-trade",
        ),
        (changed(bars(), slice(100, 130), high=100.0, low=100.0, open=100.0, close=100.0), "filled"),
        (changed(bars(), slice(100, 130), high=101.0, low=99.0, open=100.5, close=100.0), "filled"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_problems_are_rejected_with_kind_location_and_remedy(frame, kind):
    finding = findings_of(frame)[kind]
    assert finding.rejects
    assert finding.symbols[0] in ("A", "A B")
    assert finding.examples[0].startswith(("A 2", "A B 2020-"))
    assert finding in inspect(frame, "1d").rejected()
    assert finding not in inspect(frame, "1d").rejected(frozenset({kind}))
    assert "REJECTED" in finding.to_text()


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (scaled(bars(), 150, 1.42), "jump"),
        (changed(bars(), slice(100, 112), close=100.0, open=100.0, high=100.1, low=99.9), "stale"),
        (pl.concat([bars(100), bars().slice(120)]), "gap"),
        (changed(bars(), slice(180, 300), volume=90_000.0), "regime"),
        (changed(bars(), slice(None), volume=0.0), "untraded"),
        (pl.concat([bars(), bars().slice(7, 2)]), "duplicate"),
        (changed(bars(), slice(5, 9), open=0.0, high=0.0, low=0.0, volume=0.0), "halted"),
        (
            changed(bars(), slice(5, 9), volume=0.0, high=100.0, low=100.0, open=100.0, close=100.0),
            "no-trade",
        ),
        (scaled(bars(), 150, 0.6), "jump"),
        (scaled(bars(60), 30, 0.6), "jump"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_possible_problems_are_noted_and_not_rejected(frame, kind):
    finding = findings_of(frame)[kind]
    assert not finding.rejects
    assert inspect(frame, "1d").rejected() == ()


def test_a_move_of_the_close_alone_is_not_a_split():
    low = bars()["close"][149] * 0.5
    frame = changed(scaled(bars(), 151, 0.5), 150, close=low, low=low)
    assert "jump" in findings_of(frame)
    assert "split" not in findings_of(frame)


def halted(frame, rows):
    return changed(frame, rows, open=0.0, high=0.0, low=0.0, volume=0.0)


@pytest.mark.parametrize(("factor", "text"), [(1.08 / 5, "5:1"), (10 * 0.94, "1:10"), (1.01 / 2, "2:1")])
@pytest.mark.parametrize("halt", [0, 4])
def test_a_change_of_the_level_near_a_ratio_of_splits_is_rejected(factor, text, halt):
    frame = halted(scaled(bars(), 150, factor), slice(150, 150 + halt))
    finding = findings_of(frame)["split"]
    assert finding.rejects
    assert finding.count == 1
    assert finding.examples[0].endswith(f": {text}")
    assert "jump" not in findings_of(frame)


def test_news_that_halve_a_price_are_no_split():
    frame = changed(scaled(bars(), 150, 1.03 / 2), 150, volume=12_000.0)
    assert "split" not in findings_of(frame)
    assert not findings_of(frame)["jump"].rejects


@pytest.mark.parametrize("factor", [0.01, 100.0, 1000.0])
def test_a_price_off_by_orders_of_magnitude_is_rejected(factor):
    wrong = scaled(bars(), 150, factor)[150:152]
    frame = pl.concat([bars()[:150], wrong, bars()[152:]])
    found = findings_of(frame)
    assert found["scale"].rejects
    assert found["scale"].count == 2
    assert set(found) == {"scale"}
    low = changed(bars(), 150, low=bars()["low"][150] / 100)
    assert set(findings_of(low)) == {"scale"}


def test_a_rejected_row_is_named_with_field_rule_and_value():
    finding = findings_of(changed(bars(), slice(5, 10), close=-37.63))["price"]
    assert finding.count == 5
    assert len(finding.examples) == 3
    assert "A 2020-01-06 00:00 UTC: close must be finite and above 0" in finding.examples[0]
    assert finding.examples[0].endswith("is -37.63")
    assert finding.examples[1] == "A 2020-01-07 00:00 UTC"


def test_an_invalid_symbol_is_reported_once_with_character_and_remedy():
    finding = findings_of(bars(symbol="A B"))["symbol"]
    assert finding.count == 300
    assert "--rename A B=A-B" in finding.text
    assert "character 2 is a blank" in finding.examples[0]


def test_no_bars_are_an_error():
    with pytest.raises(ValueError, match="there are no bars"):
        inspect(bars().clear(), "1d")


def test_the_command_rejects_data_unless_the_kind_is_accepted(tmp_path, capsys):
    path = tmp_path / "x.csv"
    days = scaled(bars(), 150, 0.5).with_columns(
        date=pl.from_epoch("close_time", time_unit="us").dt.strftime("%Y-%m-%d")
    )
    days.drop("close_time").write_csv(path)
    assert main(["train", "--data", str(path), *DATES, "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "REJECTED split: 1 times the price level changed as by a split" in error
    assert "correct it, or pass --accept split" in error
    assert not (tmp_path / "out").exists()
    assert main(["train", "--data", str(path), *DATES, "--report", "--accept", "split"]) == 0
    assert main(["train", "--data", str(path), "--accept", "everything"]) == 1
    assert (
        "--accept: must be of fields, missing, symbol, time, skipped, number, interval, short"
        in capsys.readouterr().err
    )


def test_frames_inspected_separately_are_reported_as_one():
    frames = [bars(), scaled(bars(symbol="B"), 150, 0.2), bars(40, symbol="C")]
    inspection = DataInspection("1d", min_bars=76)
    for frame in frames:
        inspection.add(frame)
    separate, whole = inspection.report(), inspect(pl.concat(frames), "1d", 76)
    assert separate.to_text() == whole.to_text()
    assert [finding.kind for finding in separate.findings] == ["split", "short"]
    assert separate.findings[1].symbols == ("C",)
    assert "fewer than 76 bars" in separate.findings[1].text


def test_data_with_too_few_bars_per_symbol_is_rejected():
    assert [finding.kind for finding in inspect(bars(40), "1d", 76).rejected()] == ["short"]


def test_a_change_of_the_interval_is_rejected_where_it_begins():
    later = bars(300, step=INTERVALS["1h"]).with_columns(close_time=pl.col("close_time") + 400 * DAY)
    finding = findings_of(pl.concat([bars(), later]))["interval"]
    assert finding.rejects
    assert finding.count == 300
    assert finding.examples[0].startswith("A 2021-02")


def test_findings_of_a_file_name_its_row(tmp_path):
    path = tmp_path / "prices.csv"
    frame = changed(bars(), 5, close=-1.0)
    frame.with_columns(date=pl.from_epoch("close_time", time_unit="us").dt.strftime("%Y-%m-%d")).drop(
        "close_time"
    ).write_csv(path)
    report = inspect(BarFiles([path], "1d", DAYS).read(), "1d")
    assert "(prices.csv row 7)" in report.rejected()[0].examples[0]
