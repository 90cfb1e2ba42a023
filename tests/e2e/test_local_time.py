"""Trading days and times of day are those of the instrument, in training, for stored bars and for bars of a request."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from glasstape import Bar, Client, Instrument, NotFoundError
from glasstape.cli import main
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.artifact import load
from glasstape_server.training import dataset
from made_up import columns
from running import ServerProcess

ZONE = "America/Los_Angeles"
DAYS, HOURS = 40, 11
FIRST = datetime(2015, 2, 2, 18, tzinfo=UTC)  # 10:00 local time; the 7th bar closes at 00:00 UTC
NAMES = ("open", "high", "low", "close", "volume")


def hourly(symbol, seed):
    """Bars that close from 10:00 to 20:00 local time; summer time begins on 2015-03-08."""
    times = [
        FIRST + timedelta(days=day, hours=hour - (day > 33)) for day in range(DAYS) for hour in range(HOURS)
    ]
    rows = columns(DAYS * HOURS, seed).T.tolist()
    return [
        Bar(symbol=symbol, interval="1h", close_time=time, **dict(zip(NAMES, row, strict=True)))
        for time, row in zip(times, rows, strict=True)
    ]


BARS = {symbol: hourly(symbol, seed) for seed, symbol in enumerate(("A", "B", "C"))}


def rows_of(bars):
    rows = [(bar.symbol, bar.close_time, *(getattr(bar, name) for name in NAMES)) for bar in bars]
    return pl.DataFrame(rows, schema=("symbol", "close_time", *NAMES), orient="row")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    rows_of([bar for bars in BARS.values() for bar in bars]).rename({"close_time": "time"}).write_parquet(
        folder / "bars.parquet"
    )
    (folder / "clock.toml").write_text(
        'features = ["close_return", "gap", "minute_of_day", "weekday"]\ngap_bars = 8\nsession_gap = "split"\n'
    )
    data = (
        "--data",
        str(folder / "bars.parquet"),
        "--interval",
        "1h",
        "--stamp",
        "close",
        "--time-zone",
        ZONE,
    )
    fit = ("--epochs", "1", "--arch", "linear", "--name", "clock", "--features", str(folder / "clock.toml"))
    assert main(["train", *data, *fit, "--out", str(folder)]) == 0
    return folder


def test_bars_of_a_request_make_the_windows_of_stored_ones_and_of_training(models, tmp_path):
    flags = ("--models-dir", str(models), "--interval", "1h")
    with ServerProcess(tmp_path, *flags) as server, Client(server.address) as client:
        client.publish_bars(BARS["A"], mode="backfill", instruments=[Instrument(symbol="A", time_zone=ZONE)])
        (stored,) = client.explain(symbols=["A"])
        (sent,) = client.explain(bars=[BARS["A"]])
        np.testing.assert_array_equal(sent.window, stored.window)
        minute, weekday = stored.window[:, 2], stored.window[:, 3]
        np.testing.assert_allclose(720 * (minute + 1), 60 * np.arange(15, 21))
        assert len(set(weekday.tolist())) == 1, "one local day, though midnight UTC is in it"
        spec = load(models / "clock" / "1").spec
        frame = rows_of(BARS["A"]).with_columns(pl.col("close_time").dt.epoch("us"))
        data = dataset.build(frame, "1h", spec, LabelRule(), ZONE)
        before = BARS["A"][: -HOURS + 8]  # the last bar with a known outcome in its session
        (earlier,) = client.explain(bars=[before])
        at = int(before[-1].close_time.timestamp()) * 1_000_000
        np.testing.assert_array_equal(earlier.window, data.windows()[data.close_time == at][0])
        for source in ({"symbols": ["A"]}, {"bars": [BARS["A"]]}):
            (flip,) = client.explain(**source, method="counterfactual")
            assert not flip.counterfactual.hypothetical, "the edited bars make the same window"
        (unknown,) = client.predict(bars=[BARS["B"]])
        assert isinstance(unknown.error, NotFoundError)
        assert "minute_of_day, weekday need the time zone of 'B'" in str(unknown.error)
