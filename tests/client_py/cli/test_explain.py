"""`glasstape explain`: importance and contributions of one window side by side, and the trust in them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from glasstape import (
    CheckResult,
    Client,
    NotFoundError,
    Quality,
    QualityLevel,
    Trust,
    TrustLevel,
    Verdict,
)
from glasstape.cli import main
from glasstape.session import Recorder, SessionServer
from glasstape.testing import MODEL, FakeServer, make_confidence, make_confidence_event

IMPORTANCE, CONTRIBUTIONS = "importance: what the score depends on", "contributions: add up to the score"
SKILL = CheckResult(name="skill", value=1.2, limit=1.6, passed=False, text="1.2 standard errors")
TRUST = Trust(value=0.82, level=TrustLevel.HIGH, average_precision=0.81, maps=1234)


@pytest.fixture
def fake():
    with FakeServer(model=replace(MODEL, checks=(SKILL,))) as server:
        server.explain = lambda symbol, window: np.eye(6, 8, dtype=np.float32)
        server.judge = lambda symbol, window: Quality(
            level=QualityLevel.FULL, verdict=Verdict.RELIABLE, reasons=(), trust=TRUST
        )
        yield server


@pytest.fixture
def command(capsys):
    """Run `glasstape explain`; return its exit status, standard output and standard error."""

    def run(address, *arguments):
        status = main(["explain", *arguments, "--server", address])
        return status, *capsys.readouterr()

    return run


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def test_both_maps_stand_side_by_side_and_are_named_for_what_they_are(fake, command):
    status, out, _ = command(fake.address, "AAPL")
    assert status == 0
    (titles,) = [line for line in out.splitlines() if IMPORTANCE in line]
    assert CONTRIBUTIONS in titles
    korean = command(fake.address, "AAPL", "--language", "ko")[1]
    (titles,) = [line for line in korean.splitlines() if "중요도: " in line]
    assert "기여도: " in titles


def test_trust_is_a_number_and_a_word_with_what_it_was_worth(fake, command):
    out = command(fake.address, "AAPL")[1]
    assert out.count("trust 0.82: high") == 2
    assert "maps like this one marked the true cells with AUPRC .81 on average (1,234 maps)" in out
    assert "true to the model, not to the market" in out
    assert "지도 신뢰도 0.82: 높음" in command(fake.address, "AAPL", "--language", "ko")[1]
    assert "trust" not in command(fake.address, "AAPL", "--quality", "fast")[1]


def test_many_items_are_not_checked_unless_asked(fake, command):
    symbols = [f"S{number}" for number in range(65)]
    assert "trust" not in command(fake.address, *symbols)[1]
    assert "trust" in command(fake.address, *symbols, "--quality", "full")[1]
    assert "trust" in command(fake.address, *symbols[:64])[1]


def test_a_check_that_the_model_failed_is_said_once(fake, command):
    out = command(fake.address, "AAPL", "MSFT", "IBM")[1]
    assert out.count("about the model fake@1: skill failed: 1.2 standard errors") == 1


def test_of_several_items_the_failed_one_has_its_error_and_the_others_both_maps(fake, command):
    def predict(symbol, window):
        if symbol == "NOPE":
            raise NotFoundError("no bars of 'NOPE'", reason="SYMBOL_NOT_FOUND")
        return make_confidence()

    fake.predict = predict
    status, out, _ = command(fake.address, "AAPL", "NOPE", "MSFT")
    assert status == 1
    assert out.count("no bars of 'NOPE'") == 1
    assert out.count(IMPORTANCE) == 2
    printed = objects(command(fake.address, "AAPL", "NOPE", "MSFT", "--json")[1])
    assert [item["symbol"] for item in printed] == ["AAPL", "AAPL", "NOPE", "MSFT", "MSFT"]


def test_both_maps_explain_one_window_of_one_version_even_when_a_bar_closes_between(fake, command):
    windows = []

    def explain(symbol, window):
        windows.append(window)
        return np.eye(6, 8, dtype=np.float32)

    fake.explain = explain
    assert command(fake.address, "AAPL", "MSFT")[0] == 0
    assert [window is None for window in windows] == [True, True, False, False]


def test_json_has_importance_then_contributions_of_the_same_window(command, market):
    first, second = objects(command(market.address, "AAA", "--json")[1])
    assert (first["method"], second["method"]) == ("SCALED_PATH_GRADIENT", "INTEGRATED_GRADIENTS")
    assert (first["heatmap"]["quantity"], second["heatmap"]["quantity"]) == ("IMPORTANCE", "CONTRIBUTION")
    for same in ("window", "model", "prediction", "bar_close_times", "target", "symbol"):
        assert first[same] == second[same], same
    assert all(driver["bar_close_time"] for driver in second["drivers"])


def pairs(printed):
    """The two maps of each item that did not fail."""
    kept = [item for item in printed if item["error"] is None]
    return list(zip(kept[::2], kept[1::2], strict=True))


@pytest.mark.parametrize("options", [(), ("--baseline", "previous"), ("--target", "up")])
def test_symbols_and_past_signals_have_both_maps(command, market, options):
    newest, second = [e.sequence for e in market.client.history(kinds=["confidence"], descending=True)][:2]
    for source in (("AAA", "BBB"), ("--signal", str(newest), "--signal", str(second))):
        status, out, _ = command(market.address, *source, *options, "--json")
        assert status == 0
        both = pairs(objects(out))
        assert len(both) == 2
        for first, second_map in both:
            methods = first["method"], second_map["method"]
            assert methods == ("SCALED_PATH_GRADIENT", "INTEGRATED_GRADIENTS")
            assert first["target"] == second_map["target"]
            assert first["score"] == pytest.approx(second_map["score"], abs=1e-5)


def test_a_signal_without_one_before_it_fails_and_the_other_has_both_maps(command, market):
    newest = next(market.client.history(kinds=["confidence"], descending=True)).sequence
    source = ("--signal", "1", "--signal", str(newest), "--baseline", "previous")
    status, out, _ = command(market.address, *source, "--json")
    assert status == 1
    failed, *kept = objects(out)
    assert failed["error"]
    assert len(pairs(kept)) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_windows_of_a_file_have_both_maps(command, market, tmp_path, count):
    window = market.client.explain(symbols=["AAA"])[0].window
    path = tmp_path / "windows.npy"
    np.save(path, window if count == 1 else np.stack([window] * count))
    status, out, _ = command(market.address, "--windows", str(path), "--json")
    assert status == 0
    assert len(objects(out)) == 2 * count


def test_both_maps_are_saved(command, market, tmp_path):
    path = tmp_path / "maps.svg"
    assert command(market.address, "AAA", "--save", str(path))[0] == 0
    drawing = path.read_text()
    assert IMPORTANCE in drawing
    assert CONTRIBUTIONS in drawing


@pytest.fixture
def recorded(fake, tmp_path):
    """Plays a session with maps of the methods that a test names."""

    def record(*methods):
        fake.emit(make_confidence_event("AAPL"))
        with Recorder(fake.address, tmp_path / "x.session", methods=methods) as recorder:
            while recorder.maps < len(methods):
                assert recorder.error is None
        return SessionServer(tmp_path / "x.session", speed=100)

    return record


@pytest.mark.parametrize(
    ("served", "shown", "missing"),
    [
        ("integrated_gradients", CONTRIBUTIONS, "METHOD_SCALED_PATH_GRADIENT"),
        ("scaled_path_gradient", IMPORTANCE, "METHOD_INTEGRATED_GRADIENTS"),
    ],
)
def test_where_one_method_is_not_served_the_other_map_is_shown_with_the_reason(
    command, recorded, served, shown, missing
):
    with recorded(served) as server:
        with Client(server.address) as client:
            next(iter(client.signals()))
        status, out, _ = command(server.address, "--signal", "1")
    assert status == 0
    assert shown in out
    assert f"one map only: {missing}" in out


def test_where_neither_is_served_the_error_is_the_answer(command, recorded):
    with recorded("occlusion") as server:
        status, _, err = command(server.address, "--signal", "1")
    assert status == 1
    assert "METHOD_SCALED_PATH_GRADIENT" in err


def test_a_recording_keeps_the_trust_in_both_maps(command, recorded):
    with recorded("scaled_path_gradient", "integrated_gradients") as server:
        assert command(server.address, "--signal", "1")[1].count("trust 0.82: high") == 2


@pytest.mark.parametrize(
    ("width", "named_rows", "small"),
    [
        pytest.param(150, 1, False, id="tables beside each other, rows named once"),
        pytest.param(80, 0, True, id="small maps beside each other"),
        pytest.param(55, 4, False, id="tables below each other, in two parts each"),
    ],
)
def test_maps_are_arranged_for_the_width_of_the_terminal(
    fake, command, monkeypatch, width, named_rows, small
):
    from glasstape.cli import explain_view
    from glasstape.cli.output import make_console

    monkeypatch.setattr(explain_view, "wide_console", lambda: make_console(width=width))
    out = command(fake.address, "AAPL")[1]
    assert len(re.findall(r"feature +┃", out)) == named_rows
    assert ("╮   ╭" in out) is small
    assert IMPORTANCE in out
    assert CONTRIBUTIONS in out
    assert max(len(line) for line in out.splitlines()) <= width
