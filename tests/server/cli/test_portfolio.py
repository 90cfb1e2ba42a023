"""`glasstape portfolio`: from a model, from saved predictions, and from the journal of a server."""

import json

import numpy as np
import polars as pl
import pytest
from glasstape import Client
from glasstape.cli import main
from glasstape_server.settings import BUNDLED_MODELS
from made_up import FIRST_CLOSE, columns
from markets import open_market
from recomputed_book import equity_of
from running import ServerProcess

DAY = 86_400_000_000
MODEL = str(BUNDLED_MODELS / "sample-conv1d" / "1")
BARS, SYMBOLS = 200, 8
BOOK = ["--market", "us", "--top", "2"]
CLOSE = ["--close", "21:00", "--time-zone", "UTC"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bars of symbols S0 to S7 from 2015 on, later than those of the model."""
    place = tmp_path_factory.mktemp("bars")
    dates = [FIRST_CLOSE.date().fromordinal(FIRST_CLOSE.date().toordinal() + n) for n in range(BARS)]
    frames = [
        pl.DataFrame({"symbol": [f"S{seed}"] * BARS, "date": dates,
                      **dict(zip(("open", "high", "low", "close", "volume"), columns(BARS, seed), strict=True))})
        for seed in range(SYMBOLS)
    ]  # fmt: skip
    pl.concat(frames).write_parquet(place / "bars.parquet")
    return place


def predictions(folder, name="predictions.parquet", **changes):
    """A file of predictions of the bars from number 80 on, and its frame."""
    random = np.random.default_rng(5)
    bars = pl.read_parquet(folder / "bars.parquet").with_columns(
        close_time=(pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours=21)).dt.replace_time_zone(
            "UTC"
        )
    )
    rows = bars.filter(pl.int_range(pl.len()).over("symbol") >= 80)
    stated = random.dirichlet([4, 4, 4], rows.height).astype(np.float32)
    frame = rows.select("symbol", "close_time").with_columns(
        down=stated[:, 0], flat=stated[:, 1], up=stated[:, 2], **changes
    )
    frame.write_parquet(folder / name)
    return folder / name, frame


def run(capsys, *arguments):
    """Run the command with --json; return its result."""
    assert main(["portfolio", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_book_of_saved_predictions_agrees_with_a_recomputation(folder, capsys):
    path, frame = predictions(folder)
    found = run(capsys, "--predictions", path, folder / "bars.parquet", *CLOSE, *BOOK, "--half-spread", 0.004)
    stated = (frame["up"].cast(float) - frame["down"].cast(float)).to_numpy().reshape(SYMBOLS, -1).T
    prices = pl.read_parquet(folder / "bars.parquet")["close"].to_numpy().reshape(SYMBOLS, -1).T[80:]
    fee = np.where(np.array(found["curve"]["time"]) < "2015-02-14", 22.1e-6, 18.4e-6)
    equity, traded, costs = equity_of(prices, stated, 2, 1, np.full(120, 0.004), 0.004 + fee)
    np.testing.assert_allclose(found["curve"]["equity"], equity, rtol=1e-6)  # probabilities are float32
    np.testing.assert_allclose(found["curve"]["traded"], traded, atol=1e-6)
    assert found["figures"]["costs"] == pytest.approx(
        (costs / equity).sum() / 119 * found["figures"]["days_per_year"]
    )
    assert found["verdict"] in ("none", "loss"), "the predictions are random"


def test_bars_without_trades_are_not_traded_however_a_file_states_them(folder, capsys):
    path, _ = predictions(folder)
    bars = pl.read_parquet(folder / "bars.parquet")
    quiet = (pl.int_range(pl.len()).over("symbol") % 7 == 0) & (pl.col("symbol") < "S4")
    zero, price = pl.lit(0.0), pl.col("close")
    halted = [
        pl.when(quiet).then(zero).otherwise(pl.col(n)).alias(n) for n in ("open", "high", "low", "volume")
    ]
    filled = [pl.when(quiet).then(price).otherwise(pl.col(n)).alias(n) for n in ("open", "high", "low")]
    volume = pl.when(quiet).then(zero).otherwise(pl.col("volume")).alias("volume")
    stated = {"missing": bars.filter(~quiet), "halted": bars.with_columns(halted),
              "filled": bars.with_columns(*filled, volume)}  # fmt: skip
    curves = []
    for name, frame in stated.items():
        frame.write_parquet(folder / f"{name}.parquet")
        found = run(capsys, "--predictions", path, folder / f"{name}.parquet", *CLOSE, *BOOK)
        assert found["unfilled"] > 0
        curves.append(found["curve"])
    assert curves[0] == curves[1] == curves[2]


def test_seeds_are_averaged_and_a_candidate_is_chosen(folder, capsys):
    path, frame = predictions(folder, "one.parquet", candidate=pl.lit("linear"))
    other = frame.with_columns(
        candidate=pl.lit("prior"), up=pl.lit(0.3, pl.Float32), down=pl.lit(0.3, pl.Float32)
    )
    pl.concat([frame, frame, other]).write_parquet(folder / "several.parquet")
    arguments = [folder / "bars.parquet", *CLOSE, *BOOK]
    one = run(capsys, "--predictions", path, *arguments)
    same = run(capsys, "--predictions", folder / "several.parquet", "--candidate", "linear", *arguments)
    assert same["curve"] == one["curve"]
    assert same["source"] == "linear of several.parquet"
    assert any("several of one are averaged" in fact for fact in same["facts"])
    assert main(["portfolio", "--predictions", str(folder / "several.parquet"), *map(str, arguments)]) == 1
    assert "--candidate: " in (error := capsys.readouterr().err)
    assert "choose one of linear, prior" in error


def test_predictions_that_selected_the_model_are_left_out(folder, capsys):
    part = (
        pl.when(pl.int_range(pl.len()).over("symbol") < 60)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("check"))
    )
    path, _ = predictions(folder, "trained.parquet", fold=part, model=pl.lit("mine@1"))
    found = run(capsys, "--predictions", path, folder / "bars.parquet", *CLOSE, *BOOK)
    assert len(found["curve"]["time"]) == 60
    assert "480 predictions of the fold validation, which selected the model, are left out" in found["facts"]


def test_another_column_may_be_the_score(folder, capsys):
    path, frame = predictions(
        folder, "ranked.parquet", rank_score=pl.col("symbol").str.slice(1).cast(pl.Float64)
    )
    found = run(
        capsys, "--predictions", path, folder / "bars.parquet", *CLOSE, *BOOK, "--score", "rank_score"
    )
    assert sum(traded > 0 for traded in found["curve"]["traded"][2:]) > 100, "S6 and S7 are rebalanced"
    assert found["figures"]["closed"] == 0, "and always held"
    assert frame.height == found["scored"]


def test_a_model_is_run_on_later_bars(folder, tmp_path, capsys):
    bars = [str(folder / "bars.parquet"), *CLOSE, *BOOK]
    assert main(["portfolio", "--model", MODEL, *bars, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "paper book: sample-conv1d@1" in printed
    assert "of training and validation, are left out" in printed
    for sentence in ("equal-weighted universe", "동일 비중 시장"):
        assert sentence in printed
    page = (tmp_path / "out" / "portfolio.html").read_text()
    assert page.count("<svg") == 1
    assert "동일 비중 시장" in page
    curve = json.loads((tmp_path / "out" / "portfolio.json").read_text())["curve"]
    # The window of the newest bar has no outcome yet, and a signal.
    assert curve["time"][-1].startswith("2015-07-23")
    assert len(curve["equity"]) == BARS - 73


def test_bars_that_the_model_was_made_of_are_refused(folder, tmp_path, capsys):
    bars = pl.read_parquet(folder / "bars.parquet").with_columns(pl.col("date").dt.offset_by("-10y"))
    bars.unique(["symbol", "date"]).write_parquet(tmp_path / "old.parquet")
    assert main(["portfolio", "--model", MODEL, str(tmp_path / "old.parquet"), *CLOSE, *BOOK]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "data: sample-conv1d@1 was made of bars until 20" in error
    assert "and these end at 2005-07-2" in error


def test_bars_of_another_interval_than_the_models_are_refused(capsys):
    assert main(["portfolio", "--model", MODEL, "sample", *BOOK, "--interval", "1h"]) == 1
    assert "--interval: must be 1d, that of the model, is 1h" in capsys.readouterr().err


def test_a_journal_is_a_book_of_what_was_published(tmp_path, capsys):
    server = ServerProcess(tmp_path / "data")
    with server, Client(server.address) as client:
        market = open_market(server, client)
        for _ in range(25):
            market.close_bar()
        published = list(client.history(kinds=["confidence"]))
    found = run(capsys, "--journal", tmp_path / "data", "--market", "free", "--top", "1")
    assert found["scored"] == len(published) == 75
    stated, closes = (np.zeros((25, 3)) for _ in range(2))
    symbols, times = (sorted({getattr(e, name) for e in published}) for name in ("symbol", "bar_close_time"))
    for event in published:
        place = times.index(event.bar_close_time), symbols.index(event.symbol)
        stated[place] = event.signal.probabilities.up - event.signal.probabilities.down
        closes[place] = event.signal.bar.close
    equity, *_ = equity_of(closes, stated, 1, 1, np.zeros(25), np.zeros(25))
    np.testing.assert_allclose(found["curve"]["equity"], equity, rtol=1e-9)
    assert any("75 of" not in fact and "published after the next close" in fact for fact in found["facts"])
    assert main(["portfolio", "--journal", str(tmp_path / "data"), *BOOK, "--candidate", "other"]) == 1
    assert "has no 1d signals of other; it has 1d of sample-conv1d@1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--journal", "missing", *BOOK], "--journal: missing has no live journal"),
        (["--journal", "missing", "bars.csv", *BOOK], "BARS: must not be given with --journal"),
        (["--model", MODEL, *BOOK], "BARS: required with --model and --predictions"),
        (
            ["--predictions", "missing.parquet", "sample", *BOOK],
            "--predictions: no such file: missing.parquet",
        ),
        (["--model", "missing", "sample", *BOOK], "manifest.json: missing"),
        (["--model", MODEL, "sample", "--top", "2"], "--market: required"),
        (["--model", MODEL, "sample", "--market", "uk", "--top", "2"], "--market: must be one of kr, us"),
        (
            ["--model", MODEL, "sample", "--market", "us"],
            "--top: a book needs --top K, --threshold X, or both",
        ),
        (["--model", MODEL, "sample", *BOOK, "--keep", "1"], "--keep: must be at least top (2), is 1"),
        (["--model", MODEL, "sample", *BOOK, "--trials", "101"], "--trials: must be 1-100, is 101"),
        (
            ["--model", MODEL, "sample", *BOOK, "--sell-tax", "2"],
            "--sell-tax: must be a number from 0 to 0.1, is 2",
        ),
        (
            ["--model", MODEL, "sample", *BOOK, "--score", "best"],
            "--score: must be direction or up, is 'best'",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_sentence(arguments, text, capsys):
    assert main(["portfolio", *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("glasstape portfolio: ")
    assert text in lines[-1]


def test_files_that_are_no_predictions_are_refused(folder, capsys):
    text = folder / "text.parquet"
    text.write_text("no parquet")
    path, frame = predictions(folder, "short.parquet")
    frame.drop("up").write_parquet(path)
    dated, _ = predictions(folder, "dated.parquet")
    frame.with_columns(pl.col("close_time").dt.date()).write_parquet(dated)
    late, _ = predictions(folder, "late.parquet")
    frame.with_columns(pl.col("close_time").dt.offset_by("1h")).write_parquet(late)
    for file, error in (
        (text, "--predictions: must be a Parquet file"),
        (path, "has no column up; it has symbol"),
        (dated, "close_time: must be times, or microseconds since 1970, UTC, is Date"),
        (
            late,
            "scores: none of 960 has a bar with trades of its symbol and close time; the first is of S0 at",
        ),
    ):
        assert (
            main(["portfolio", "--predictions", str(file), str(folder / "bars.parquet"), *CLOSE, *BOOK]) == 1
        )
        assert error in capsys.readouterr().err
