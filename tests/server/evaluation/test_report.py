"""Report and command of an evaluation."""

import json
import re
from dataclasses import replace

import polars as pl
import pytest
from evaluated import candidate
from glasstape.cli import main
from glasstape.skill import KOREAN_SENTENCES, SENTENCES, SkillVerdict
from glasstape_server.evaluation import report


def test_the_report_agrees_with_the_json_file(evaluation, tmp_path):
    written = report.write(evaluation, {"data": "made <up>"}, tmp_path / "out")
    page = written.read_text()
    assert page.count("<svg") == 3
    assert "made &lt;up&gt;" in page
    assert not re.search(r'(src|href)="(?!#)', page.replace("xlink:href", "href")), (
        "the page must be self-contained"
    )
    content = json.loads((tmp_path / "out" / report.METRICS).read_text())
    linear = next(item for item in content["candidates"] if item["name"] == "linear")
    accuracy = linear["metrics"]["accuracy"]["value"]
    assert accuracy == candidate(evaluation, "linear").metrics["accuracy"].value
    assert f"{accuracy:.2%}" in page
    shares = {part["feature"]: part["share"] for part in linear["importance"] if part["time"] is None}
    assert len(shares) == 8
    for feature, share in shares.items():
        row = re.search(rf"<tr><td>{feature}</td>.*?</tr>", page, re.DOTALL).group()
        assert row.count("background: rgb(") == 6
        assert f"{share['value']:.2%} ({share['low']:.2%} … {share['high']:.2%})" in row
    row, skill = (line for line in report.to_text(evaluation).splitlines() if line.startswith("| linear |"))
    assert f"{accuracy:.2%}" in row
    assert linear["verdict"] == candidate(evaluation, "linear").verdict
    edge = linear["metrics"]["edge"]["value"]
    for text in (page, skill):
        assert f"{100 * edge:+.2f}" in text
        assert f"{linear['metrics']['direction_gain']['value']:.4f}" in text
        assert f"{linear['abstaining']['calls']:,}" in text


@pytest.mark.parametrize("verdict", [SkillVerdict.FLAT, SkillVerdict.NONE])
def test_a_verdict_is_a_sentence_in_both_languages(evaluation, verdict):
    judged = replace(evaluation, candidates=(replace(candidate(evaluation, "linear"), verdict=verdict),))
    page, text = report.to_html(judged, {}), report.to_text(judged)
    assert SENTENCES[verdict] in page
    assert KOREAN_SENTENCES[verdict] in page
    assert f"linear: {SENTENCES[verdict]}" in text
    for each in (page, text):
        assert "delisted" in each, "survivorship and selection are stated"


def test_the_command_evaluates_a_file_and_rejects_invalid_options(frame, tmp_path, capsys):
    path = tmp_path / "bars.parquet"
    some = frame.filter(pl.col("symbol") < "S00006").with_columns(
        date=pl.from_epoch("close_time", time_unit="us").dt.replace_time_zone("UTC")
    )
    some.drop("close_time").write_parquet(path)
    common = ["evaluate", "--data", str(path), "--close", "24:00", "--out", str(tmp_path / "out")]
    options = ["--arch", "linear", "--folds", "1", "--epochs", "1", "--windows", "500", "--processes", "1"]
    assert main([*common, *options, "--market", "us", "--top", "2", "--trials", "5"]) == 0
    assert "passed future_perturbation" in capsys.readouterr().out
    assert "<h2>Paper portfolio</h2>" in (tmp_path / "out" / report.REPORT).read_text()
    books = json.loads((tmp_path / "out" / report.METRICS).read_text())["paper_books"]
    assert [book["source"] for book in books] == ["logistic_regression", "gradient_boosting", "linear"]
    assert books[0]["curve"]["benchmark"] == books[2]["curve"]["benchmark"]
    assert books[0]["figures"]["level"] == 0.99
    for options, text in (
        (["--arch", "best"], "--arch: must be of"),
        (["--cost", "2"], "--cost: must be 0-0.1"),
        (["--horizon", "0"], "--horizon: must be 1 or more"),
        (["--folds", "300"], "too few for 300 folds"),
        (["--close", "noon"], "--close: must be HH:MM"),
        (["--top", "2"], "--market: required"),
        (["--top", "6", "--market", "us"], "--top: must be less than the 6 symbols with a score, is 6"),
        (["--market", "us"], "--top: a book needs --top K, --threshold X, or both"),
    ):
        assert main([*common, *options]) == 1
        assert text in capsys.readouterr().err


def test_the_command_evaluates_features_of_a_file(frame, tmp_path, capsys):
    some = frame.filter(pl.col("symbol") < "S00006")
    date = pl.from_epoch("close_time", time_unit="us").dt.replace_time_zone("UTC")
    some.with_columns(date=date).drop("close_time").write_parquet(tmp_path / "bars.parquet")
    (tmp_path / "mine.toml").write_text('features = ["rsi", "range_rank"]\nwindow_bars = 9\n')
    data = ["--data", str(tmp_path / "bars.parquet"), "--close", "24:00", "--out", str(tmp_path / "out")]
    options = ["--arch", "linear", "--folds", "1", "--epochs", "1", "--windows", "500", "--processes", "1"]
    assert main(["evaluate", *data, *options, "--features", str(tmp_path / "mine.toml")]) == 0
    printed = capsys.readouterr().out
    assert "earlier windows with ranks did not change" in printed
    assert "logistic_regression" in printed
    assert "last_direction" not in printed, "it reads close_return"
    about = json.loads((tmp_path / "out" / report.METRICS).read_text())["about"]
    assert about["features"].startswith("2 (")
    assert about["features"].endswith("9 bars in a window")


def test_statistics_of_nothing_are_reported_as_such(evaluation):
    linear = candidate(evaluation, "linear")
    nothing = replace(
        linear.abstaining,
        coverage=0.0,
        accuracy=None,
        hit_rate=None,
        base_rate=None,
        calls=0,
        kept_calls=None,
    )
    without = replace(linear, abstaining=nothing, held_out={})
    page = report.to_html(replace(evaluation, candidates=(without,), held_out=()), {})
    assert re.search(
        r"<td>0\.0% \(confidence ≥ [\d.]+\)</td>\s*<td>–</td><td>–</td><td>–</td><td>0 \(– of all\)</td>",
        page,
    )
    assert f"No figures: none of these {evaluation.symbols} symbols is held out" in page
    page = report.to_html(replace(evaluation, candidates=(without,), held_out=("A",)), {})
    assert "No figures: too few days were tested" in page


def test_the_page_has_the_log_loss_gain(evaluation):
    gain = candidate(evaluation, "linear").metrics["log_loss_gain"]
    assert f"<td>{gain.value:.4f} ({gain.low:.4f} … {gain.high:.4f})</td>" in report.to_html(evaluation, {})
