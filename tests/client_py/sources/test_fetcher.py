import csv
from datetime import datetime, timedelta

import pytest
from glasstape import Instrument
from glasstape.sources import SourceError, SourceUnavailableError, UnknownSymbolError
from glasstape.sources.fetcher import ATTEMPTS, Fetcher, FetchRequest
from glasstape.sources.history_parts import HistoryParts, write_instruments
from scripted_source import MINUTE, START, ScriptedSource, minute_bar
from simulated_time import SimulatedTime

REQUEST = {"source": "scripted", "interval": "1m"}


@pytest.fixture
def time():
    return SimulatedTime(START + 50 * MINUTE + timedelta(seconds=1), 100_000)


@pytest.fixture
def source(time):
    bars = [
        minute_bar(symbol, minute, close=100.1 + minute / 3)
        for symbol in ("A", "B/C")
        for minute in range(1, 51)
    ]
    return ScriptedSource(time, *bars)


def fetcher(source, out, time, *symbols, progress=lambda *_: None, **options):
    request = FetchRequest(symbols=symbols or ("A", "B/C"), interval="1m", since=START, **options)
    return Fetcher(source, request, HistoryParts(out, REQUEST), progress, time)


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


async def fetch(source, out, time, *symbols, **options):
    await fetcher(source, out, time, *symbols, **options).run()
    HistoryParts(out, REQUEST).write_csv(symbols or ("A", "B/C"), out)
    return rows(out)


async def test_the_file_has_every_bar_with_exact_values(source, tmp_path, time):
    found = await fetch(source, tmp_path / "out.csv", time)
    assert [
        (row["symbol"], datetime.fromisoformat(row["close_time"]), float(row["close"])) for row in found
    ] == [(bar.symbol, bar.close_time, bar.close) for bar in source.bars]


async def test_it_ends_with_until(source, tmp_path, time):
    assert len(await fetch(source, tmp_path / "out.csv", time, "A", until=START + 7 * MINUTE)) == 7


@pytest.mark.parametrize("torn", ["", "A,2026-01-05T00:0"], ids=["whole", "cut off"])
async def test_a_later_run_continues_after_the_last_complete_row(source, tmp_path, time, torn):
    out = tmp_path / "out.csv"
    await fetcher(source, out, time, "A", until=START + 20 * MINUTE).run()
    with HistoryParts(out, REQUEST).path("A").open("a") as part:
        part.write(torn)
    source.requests.clear()
    assert len(await fetch(source, out, time, "A")) == 50
    assert source.requests[0][1] == START + 20 * MINUTE


async def test_failures_are_repeated_from_the_last_bar(source, tmp_path, time):
    source.failures = [SourceUnavailableError("lost", timedelta(seconds=30)) for _ in range(ATTEMPTS - 1)]
    assert len(await fetch(source, tmp_path / "out.csv", time)) == 100


async def test_it_gives_up_after_several_failures_and_keeps_the_parts(source, tmp_path, time):
    out = tmp_path / "out.csv"
    await fetcher(source, out, time, "A", until=START + 20 * MINUTE).run()
    source.failures = [SourceUnavailableError("lost")] * ATTEMPTS
    with pytest.raises(
        SourceUnavailableError, match="lost; gave up after 8 attempts, run the same command again"
    ):
        await fetcher(source, out, time).run()
    assert HistoryParts(out, REQUEST).last_close("A") == START + 20 * MINUTE


async def test_an_unknown_symbol_is_refused_before_anything_is_fetched(source, tmp_path, time):
    source.unknown.add("B/C")
    with pytest.raises(UnknownSymbolError):
        await fetcher(source, tmp_path / "out.csv", time).run()
    assert source.requests == []


async def test_a_symbol_that_is_removed_meanwhile_is_left_out(source, tmp_path, time):
    source.failures = [UnknownSymbolError("A", "it was removed")]
    fetching = fetcher(source, tmp_path / "out.csv", time)
    await fetching.run()
    assert [str(error) for error in fetching.removed] == ["A: it was removed"]
    assert HistoryParts(tmp_path / "out.csv", REQUEST).last_close("B/C") == START + 50 * MINUTE


async def test_progress_reaches_the_end(source, tmp_path, time):
    seen = []
    await fetcher(source, tmp_path / "out.csv", time, "A", progress=lambda *args: seen.append(args)).run()
    assert sum(bars for _, bars, _, _ in seen) == 50
    assert seen[-1][2] == seen[-1][3]


def test_parts_of_another_request_are_refused(tmp_path):
    HistoryParts(tmp_path / "out.csv", REQUEST)
    with pytest.raises(
        SourceError, match=r"out\.csv\.parts holds parts of another request \(source scripted"
    ):
        HistoryParts(tmp_path / "out.csv", REQUEST | {"interval": "1d"})


async def test_parquet_has_equal_bars(source, tmp_path, time):
    polars = pytest.importorskip("polars")
    out = tmp_path / "out.parquet"
    await fetcher(source, out, time).run()
    HistoryParts(out, REQUEST).write_parquet(("A", "B/C"), out)
    table = polars.read_parquet(out)
    assert table["close_time"].dtype == polars.Datetime("us", "UTC")
    assert table.select("symbol", "close_time", "close").rows() == [
        (bar.symbol, bar.close_time, bar.close) for bar in source.bars
    ]


def test_instruments_are_written_beside(tmp_path):
    write_instruments([Instrument(symbol="A", name="Name, with comma", tick_size=0.5)], tmp_path / "a.csv")
    (row,) = rows(tmp_path / "a.csv")
    assert (row["symbol"], row["name"], row["tick_size"], row["price_decimals"]) == (
        "A", "Name, with comma", "0.5", ""
    )  # fmt: skip
