"""Commands against a scripted server: what they send, print and return."""

import json
from dataclasses import replace

import numpy as np
import pytest
from glasstape import (
    AuthenticationError,
    Instrument,
    IntervalEstimate,
    NotFoundError,
    PermissionDeniedError,
    SkillSplit,
    SkillVerdict,
    TrackRecord,
)
from glasstape.cli import main
from glasstape.testing import MODEL, FakeServer, make_buy, make_confidence, make_confidence_event


@pytest.fixture
def fake():
    with FakeServer() as server:
        yield server


@pytest.fixture
def command(fake, capsys):
    """Run a command; return its exit status, standard output and standard error."""

    def run(*arguments):
        status = main([*arguments, "--server", fake.address])
        return status, *capsys.readouterr()

    return run


def only_known(symbol, window):
    if symbol == "NOPE":
        raise NotFoundError("no bars of 'NOPE'", reason="SYMBOL_NOT_FOUND")
    return make_confidence()


@pytest.mark.parametrize("name", ["predict", "explain"])
def test_an_item_that_fails_is_printed_and_is_the_exit_status(fake, command, name):
    fake.predict = only_known
    status, out, _ = command(name, "AAPL", "NOPE")
    assert status == 1
    assert "no bars of 'NOPE'" in out
    assert "up 50.0%" in out
    assert command(name, "AAPL")[0] == 0


def test_explain_compares_the_methods_of_the_model(fake, command, tmp_path):
    fake.explain = lambda symbol, window: np.eye(6, 8, dtype=np.float32)
    status, out, _ = command("explain", "AAPL", "--compare", "--save", str(tmp_path / "maps.svg"))
    assert status == 0
    assert "gradient" in out
    assert (tmp_path / "maps.svg").stat().st_size > 1000
    assert command("explain", "AAPL", "MSFT", "--compare")[2].startswith(
        "glasstape: --compare: requires exactly one"
    )


HEADER = "symbol,date,open,high,low,close,volume\n"
BARS = HEADER + "A,2024-01-02,1,2,1,2,5\nA,2024-01-03,2,3,2,3,5\nB,2024-01-03,2,3,2,3,5\n"


@pytest.mark.parametrize(("mode", "batches"), [("final", 2), ("backfill", 1), ("replace", 1)])
def test_final_bars_are_published_close_by_close_and_others_at_once(fake, command, tmp_path, mode, batches):
    (tmp_path / "bars.csv").write_text(BARS)
    dates = ("--time-zone", "UTC", "--close", "16:00")
    modes = ("--backfill",) if mode == "backfill" else ("--mode", mode)
    status, out, _ = command("publish", str(tmp_path / "bars.csv"), *dates, *modes)
    assert (status, out.split(",")[0]) == (0, "3 stored")
    assert fake.published_modes == [mode] * batches


def test_watch_goes_on_without_maps_if_the_token_lacks_their_scope(fake, command):
    fake.emit(make_confidence_event("AAPL"))
    fake.emit(make_buy("AAPL"))
    status, out, _ = command("watch", "--for", "0.5s", "--view", "text")
    assert status == 0
    assert "BUY up 50.0%, expires 2026-01-07" in out
    fake.fail(
        "Signals", PermissionDeniedError("no scope", reason="SCOPE_MISSING", metadata={"scope": "explain"})
    )
    status, _, err = command("watch", "--for", "0.5s")
    assert "heat maps are off: the token lacks the scope `explain`" in err
    assert status == 1
    fake.fail(
        "Signals", PermissionDeniedError("no scope", reason="SCOPE_MISSING", metadata={"scope": "signals"})
    )
    assert command("watch", "--for", "0.5s")[2].startswith("glasstape: PERMISSION_DENIED: no scope")


def test_models_asks_for_every_field_of_what_it_prints(fake, command):
    status, out, _ = command("models", "--json")
    assert status == 0
    assert json.loads(out)["abstain_threshold"] == 0.4
    assert "abstains  below 40.0%" in command("models", "fake")[1]


def test_doctor_warns_about_damaged_symbols_and_unknown_zones(fake, command):
    for symbol in ("005930", "5930", "AAPL", "Aapl"):
        zone = "" if symbol == "5930" else "Asia/Seoul"
        fake.instruments[symbol] = Instrument(symbol=symbol, time_zone=zone)
    _, out, _ = command("doctor")
    for text in (
        "symbols AAPL, Aapl differ by upper and lower case alone",
        "numeric symbols have 4 digits (5930) and 6 digits: leading zeros may be lost",
        "time_zone of 5930 is not known: trading days are days of UTC",
    ):
        assert f"warning  {text}" in out


def test_doctor_reports_versions_and_an_unreachable_server(fake, command, capsys):
    status, out, _ = command("doctor")
    assert status == 0
    assert "server fake, contract 1.0" in out
    assert main(["doctor", "--server", "127.0.0.1:1"]) == 1
    assert "127.0.0.1:1: unreachable" in capsys.readouterr().out


def test_an_unavailable_server_is_one_sentence(capsys):
    assert main(["models", "--server", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("glasstape: 127.0.0.1:1 is unavailable: ")


def test_a_track_record_without_outcomes_has_no_figures(command):
    status, out, _ = command("track")
    assert status == 0
    assert "no outcomes: no signal's horizon has passed" in out
    assert "Brier" not in out
    record = json.loads(command("track", "--json")[1])
    assert (record["outcomes"], record["brier_score"], record["log_loss"]) == (0, None, None)


def estimate(value):
    return IntervalEstimate(value=value, low=value - 0.02, high=value + 0.02)


SKILL = SkillSplit(
    log_loss_saved=estimate(0.03),
    flat=estimate(0.03),
    direction=estimate(0.0),
    moved_hit_rate=estimate(0.51),
    verdict=SkillVerdict.FLAT,
)


def test_a_model_is_described_with_its_skill(capsys):
    metrics = {"validation/calls": 0.5, "validation/kept_calls": 0.04}
    with FakeServer(model=replace(MODEL, skill=SKILL, metrics=metrics)) as server:
        assert main(["models", "fake", "--server", server.address]) == 0
    out = capsys.readouterr().out
    assert "abstains  below 40.0%, which keeps 8% of the UP and DOWN calls" in out
    assert "skill     log loss saved against the prior: +0.0300 (+0.0100 … +0.0500) nats = FLAT" in out
    assert "knows when the market is quiet, not where it goes" in out


def test_a_track_record_says_what_the_models_know(fake, command):
    record = TrackRecord(
        predicted=None, count=1204, hits=420, opposites=400, hit_rate=420 / 1204, hit_rate_low=0.31,
        hit_rate_high=0.39, base_rate=820 / 2408, edge=estimate(0.0166), moved_hit_rate=estimate(0.512),
        kept=37, mean_return=0.0, net_return=-0.002, sessions=60, model="", symbol="", confidence=None,
        skill=SKILL,
    )  # fmt: skip
    fake.track_record = replace(
        fake.track_record, records=(record,), outcomes=3000, brier_score=0.66, log_loss=1.09, skill=SKILL
    )
    status, out, _ = command("track")
    assert status == 0
    for text in (
        "37", "34.9% (31.0% … 39.0%)", "34.1%", "+1.7 (-0.3 … +3.7)", "51.2% (49.2% … 53.2%)",
        "+0.0300 (+0.0100 … +0.0500) nats = FLAT +0.0300 (+0.0100 … +0.0500) + direction +0.0000",
        "knows when the market is quiet, not where it goes",
    ):  # fmt: skip
        assert text in out
    assert json.loads(command("track", "--json")[1])["skill"]["verdict"] == "FLAT"


def test_doctor_says_what_a_missing_and_a_wrong_token_mean(fake, command, tmp_path):
    fake.fail("GetServerInfo", AuthenticationError("no bearer token", reason="TOKEN_MISSING"))
    status, out, _ = command("doctor")
    assert status == 0
    assert "warning  the server requires a token: --token-file FILE" in out
    fake.fail("GetServerInfo", AuthenticationError("the bearer token is unknown", reason="TOKEN_UNKNOWN"))
    (tmp_path / "token").write_text("glt_x")
    status, out, _ = command("doctor", "--token-file", str(tmp_path / "token"))
    assert status == 1
    assert "problem  the token is rejected: the bearer token is unknown; create one with" in out
