"""The command line as its users run it."""

import csv
import io
import json
import subprocess
import sys

import polars as pl
import pytest
from glasstape.cli import main


def glasstape(*arguments, check=True, **options):
    result = subprocess.run(
        [sys.executable, "-m", "glasstape.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    if check:
        assert result.returncode == 0, result.stderr
    return result


@pytest.fixture
def command(capsys):
    """Runs a command in this process, which has loaded already what it needs."""

    def run(*arguments, check=True):
        status = in_this_process(arguments)
        said = capsys.readouterr()
        if check:
            assert status == 0, said.err
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)

    return run


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_help_lists_every_command():
    text = glasstape("--help").stdout
    for name in (
        "serve",
        "demo",
        "watch",
        "predict",
        "explain",
        "models",
        "train",
        "publish",
        "export",
        "doctor",
    ):
        assert f"  {name} " in text
    assert glasstape("nonsense", check=False).returncode == 2


@pytest.mark.parametrize(
    "name", ["serve", "demo", "watch", "predict", "explain", "models", "track", "train", "export"]
)
def test_every_command_has_help(command, name):
    assert "usage: glasstape " + name in command(name, "--help").stdout


def test_predict(market):
    said = lines(glasstape("predict", "AAA", "BBB", "--json", "--server", market.address))
    assert [item["symbol"] for item in said] == ["AAA", "BBB"]
    assert said[0]["confidence"]["direction"] in ("DOWN", "FLAT", "UP")
    shown = glasstape("predict", "AAA", "NOPE", "--server", market.address, check=False)
    assert shown.returncode == 1
    assert "no 1d bars of 'NOPE'" in shown.stdout


def test_explain_draws_the_map_and_gives_it_as_json(command, market):
    shown = command("explain", "AAA", "--method", "integrated_gradients", "--server", market.address).stdout
    for feature in market.client.model().features:
        assert feature.name in shown
    last = market.client.bars("AAA", "1d")[-1 if not market.client.bars("AAA", "1d")[-1].provisional else -2]
    assert f"{last.close_time:%m-%d}" in shown
    arguments = ["--method", "gradient", "--quality", "fast", "--json", "--server", market.address]
    (said,) = lines(command("explain", "--signal", "1", *arguments))
    assert len(said["heatmap"]["values"]) == 6
    assert said["quality"]["verdict"] == "CAUTION"


def test_explain_says_it_in_words(command, market):
    shown = command("explain", "AAA", "--method", "integrated_gradients", "--server", market.address).stdout
    assert "of all weight, " in shown
    assert "normal" in shown
    korean = command(
        "explain", "AAA", "--method", "integrated_gradients", "--language", "ko", "--server", market.address
    ).stdout
    assert "전체 비중의" in korean


def test_compare_draws_every_method_and_saves_pictures(command, market, tmp_path):
    for suffix, magic in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        path = tmp_path / f"maps{suffix}"
        shown = command("explain", "AAA", "--compare", "--save", str(path), "--server", market.address).stdout
        for method in market.client.model().methods:
            assert method.value in shown
        assert "6×1: bars only" in shown
        assert path.read_bytes().startswith(magic)
    drawing = path.read_text()
    again = tmp_path / "again.svg"
    command("explain", "AAA", "--compare", "--save", str(again), "--server", market.address)
    assert again.read_text() == drawing
    said = lines(command("explain", "AAA", "--compare", "--json", "--server", market.address))
    assert [item["method"] for item in said] == [method.name for method in market.client.model().methods]
    for pinned in ("bar_close_times", "prediction"):
        assert len({json.dumps(item[pinned]) for item in said}) == 1
    assert len({json.dumps(item["window"]) for item in said if item["window"]}) <= 1


def test_models_and_track(command, market):
    assert "sample-conv1d@1" in command("models", "--server", market.address).stdout
    described = command("models", "sample-conv1d", "--server", market.address).stdout
    assert "close_return" in described
    assert "passed  completeness" in described
    assert "FAILED  skill" in described
    (record,) = lines(command("track", "--json", "--server", market.address))
    assert [r["predicted"] for r in record["records"]] == ["UP", "DOWN", None]


def test_watch_follows_for_a_while(command, market):
    shown = command("watch", "--for", "1s", "--server", market.address).stdout
    assert "AAA" in shown
    events = lines(command("watch", "--for", "1s", "--json", "--server", market.address))
    assert {event["kind"] for event in events} <= {"CONFIDENCE", "BUY"}


def test_export_in_every_format(command, market, tmp_path):
    events = list(market.client.history())
    rows = list(csv.DictReader(io.StringIO(command("export", "--server", market.address).stdout)))
    assert [int(row["sequence"]) for row in rows[: len(events)]] == [event.sequence for event in events]
    for suffix in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"signals.{suffix}"
        command("export", "--out", str(path), "--to", "9", "--server", market.address)
        assert path.stat().st_size
    frame = pl.read_parquet(tmp_path / "signals.parquet")
    assert frame["sequence"].to_list() == list(range(1, 10))
    assert frame.schema["bar_close_time"] == pl.Datetime("us", "UTC")
    assert frame.rows(named=True) == [event.row() for event in events[:9]]
    written = [json.loads(line) for line in (tmp_path / "signals.jsonl").read_text().splitlines()]
    assert [row["bar_close_time"] for row in written] == [
        event.bar_close_time.isoformat() for event in events[:9]
    ]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv", ".jsonl", ".parquet"]


def test_publish_a_file_and_say_what_was_rejected(command, market, tmp_path):
    text = "Date,Open,High,Low,Close,Volume\n2024-01-02,10,11,9,10,1\n2024-01-03,10,8,9,10,1\n"
    (tmp_path / "PUB.csv").write_text(text)
    arguments = ["publish", str(tmp_path / "PUB.csv"), "--symbol", "PUB", "--close", "16:00"]
    arguments += ["--time-zone", "America/New_York", "--server", market.address]
    result = command(*arguments, check=False)
    assert result.returncode == 1
    assert "1 stored, 0 duplicates, 0 halted, 0 provisional, 0 replaced, 1 rejected" in result.stdout
    text_of_rule = "1 rejected: high: must be >= low, is 8 < 9 (first: PUB 2024-01-03T21:00:00+00:00)"
    assert text_of_rule in result.stderr
    (tmp_path / "PUB.csv").write_text(text.replace("-02,", "-02 00:00:00,"))
    undated = command(
        "publish", str(tmp_path / "PUB.csv"), "--symbol", "X", "--server", market.address, check=False
    )
    assert "--close HH:MM" in undated.stderr
    (tmp_path / "bad.csv").write_text(text.replace("10,11", "x,11"))
    result = command(*(arguments[0], str(tmp_path / "bad.csv"), *arguments[2:]), check=False)
    assert "number: 1 row: open must be a number: line 2 has 'x'" in result.stderr


def test_doctor_says_what_is_wrong(command, market, tmp_path):
    good = command("doctor", "--server", market.address)
    assert "serving" in good.stdout
    (tmp_path / "bars.csv").write_text("symbol,date,open,high,low,close,volume\nA,2024-01-02,10,8,9,10,1\n")
    dates = ["--time-zone", "UTC", "--close", "24:00"]
    checks = [*dates, "--check-bars", str(tmp_path / "bars.csv"), "--check-model", str(tmp_path)]
    bad = command("doctor", "--server", "127.0.0.1:1", *checks, check=False)
    assert bad.returncode == 1
    assert "127.0.0.1:1: unreachable" in bad.stdout
    assert "1 bars have an open or close outside low-high" in bad.stdout
    assert "manifest.json: missing" in bad.stdout


def test_no_server_is_one_sentence():
    result = glasstape("models", "--server", "127.0.0.1:1", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("glasstape: 127.0.0.1:1 is unavailable")
    assert "Traceback" not in result.stderr


def test_the_demo_shows_signals_and_a_map_and_leaves_nothing_running(tmp_path):
    result = glasstape("demo", "--for", "4s", "--view", "text", "--step", "0.1", env=_environment(tmp_path))
    assert "never seen" in result.stdout
    assert "[replay]" in result.stdout
    assert "BUY" in result.stdout
    assert "macd_histogram" in result.stdout or "macd_histogr" in result.stdout
    assert list(tmp_path.iterdir()) == []


def _environment(folder):
    import os

    return {**os.environ, "TMPDIR": str(folder), "COLUMNS": "120"}


def test_a_korean_csv_with_grouped_thousands_is_published(market, tmp_path, capsys):
    titles = "종목코드,일자,시가,고가,저가,종가,거래량"
    cells = '000660,2024-01-02,"141,000","142,500","140,000","142,400","2,147,458"'
    (tmp_path / "krx.csv").write_text(f"{titles}\n{cells}\n", encoding="utf-8-sig")
    arguments = ["publish", str(tmp_path / "krx.csv"), "--close", "15:30", "--time-zone", "Asia/Seoul"]
    assert in_this_process([*arguments, "--server", market.address]) == 0
    assert [bar.close for bar in market.client.bars("000660", "1d")] == [142_400.0]


def test_bad_arguments_are_one_sentence(market, tmp_path, capsys, monkeypatch):
    (tmp_path / "x.bin").write_bytes(b"\xff\xfe\x00rubbish")
    for arguments in (
        ["publish", str(tmp_path / "x.bin")],
        ["publish", str(tmp_path / "none.csv")],
        ["publish", str(tmp_path / "x.bin"), "--time-zone", "Mars/Base"],
        ["predict"],
        ["predict", "AAA", "--signal", "3"],
        ["predict", "--signal", "-1"],
        ["predict", "--windows", str(tmp_path / "x.bin")],
        ["explain", "AAA", "--method", "magic"],
        ["explain", "AAA", "--save", "map.gif"],
        ["explain", "AAA", "BBB", "--compare"],
        ["explain", "AAA", "--compare", "--target", "up"],
        ["explain", "AAA", "--compare", "--method", "gradient"],
        ["explain", "AAA", "--json", "--save", "map.png"],
        ["explain", "AAA", "--method", "gradient", "--samples", "4"],
        ["export", "--from", "-3"],
        ["export", "--out", "x.xls"],
        ["watch", "--for", "soon"],
        ["watch", "--kinds", "rumors"],
    ):
        assert in_this_process([*arguments, "--server", market.address]) in (1, 2), arguments
        assert capsys.readouterr().err.strip(), arguments
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["train", "--name", "../x"],
        ["train", "--horizon", "0"],
        ["train", "--arch", "rnn"],
        ["bench"],
        ["bench", "burst", "--symbols", "0"],
        ["bench", "explain", "--networks", "rnn"],
        ["bench", "explain", "--kinds", "magic"],
        ["bench", "explain", "--shapes", "6"],
    ):
        assert in_this_process(arguments) in (1, 2), arguments
        assert capsys.readouterr().err.strip(), arguments


def in_this_process(arguments):
    """The exit status of a command; an exception that it lets through fails the test."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code
