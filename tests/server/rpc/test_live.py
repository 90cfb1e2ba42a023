"""What a server says of its own models while they publish: live calibration, shadow, track record."""

import math
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from glasstape import CalibrationState, Client, Direction, Heartbeat, InvalidRequestError, TrackRecordGroup
from glasstape.skill import skill_verdict
from glasstape_server.models import artifact
from glasstape_server.settings import BUNDLED_MODELS
from made_up import daily
from running import ServerProcess

SESSIONS = 70
HISTORY = 80
LEARNT = 12
LEARNT_SYMBOL = "IBM"
LONG_AGO = timedelta(days=9131)
SYMBOLS = ("AAA", "BBB", "CCC")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The bundled model, and beside it its mirror: what one calls DOWN the other calls UP."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(BUNDLED_MODELS / "sample-conv1d", models / "sample-conv1d")
    model = artifact.load(BUNDLED_MODELS / "sample-conv1d" / "1")
    for parameter in model.scorer.network.head.parameters():
        parameter.data = parameter.data.flip(0)
    statistics = model.statistics
    statistics.golden_logits.copy_(statistics.golden_logits.flip(1))
    manifest = model.manifest.model_copy(update={"name": "mirror"})
    artifact.save(models, manifest, model.scorer.network, statistics)
    return tmp_path_factory.mktemp("data"), (
        "--models-dir",
        str(models),
        "--model",
        "sample-conv1d",
        "--shadow",
        "mirror",
    )


@pytest.fixture(scope="module")
def client(folders):
    data, options = folders
    with ServerProcess(data, *options) as server, Client(server.address) as opened:
        bars = {symbol: daily(symbol, HISTORY + SESSIONS, seed) for seed, symbol in enumerate(SYMBOLS)}
        # Years of a symbol that the model learnt from: signalled like any other, and proof of nothing.
        old = [
            replace(bar, close_time=bar.close_time - LONG_AGO)
            for bar in daily(LEARNT_SYMBOL, HISTORY + LEARNT)
        ]
        opened.publish_bars(old[:HISTORY], mode="backfill")
        opened.publish_bars(old[HISTORY:])
        for series in bars.values():
            opened.publish_bars(series[:HISTORY], mode="backfill")
        for series in bars.values():
            opened.publish_bars(series[HISTORY:])
        wait(lambda: opened.track_record().outcomes == len(SYMBOLS) * (SESSIONS - 2))
        yield opened


def wait(reached):
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_model_says_how_its_confidences_came_true(client):
    wait(lambda: client.model().live is not None and client.model().live.outcomes == 60 * len(SYMBOLS))
    live = client.model().live
    assert live.state in (CalibrationState.UNDECIDED, CalibrationState.BROKEN), "3 symbols cannot tell more"
    assert live.sessions == 60
    for gap in (live.winner_gap, live.down_gap, live.flat_gap, live.up_gap, live.novel_share):
        assert gap.low <= gap.value <= gap.high
    newest = sorted(client.history(kinds=["outcome"]), key=lambda o: o.signal_bar_close_time, reverse=True)
    ours = newest[: live.outcomes]
    said = sum(o.probabilities.up for o in ours) / len(ours)
    came = sum(o.realized is Direction.UP for o in ours) / len(ours)
    assert live.up_gap.value == pytest.approx(came - said)
    called = [o for o in ours if o.predicted is Direction.UP]
    came, said = (
        sum(figures) / len(called)
        for figures in ([o.realized is Direction.UP for o in called], [o.probabilities.up for o in called])
    )
    assert live.up_call_gap.value == pytest.approx(came - said)
    assert live.drift.sessions == 60
    assert [shift.feature for shift in live.drift.shifts] == [
        feature.name for feature in client.model().features
    ]
    assert client.model("mirror").live is None


def test_heartbeats_carry_the_verdict(client):
    wait(lambda: client.model().live is not None)
    with client.signals(heartbeat_interval=0.2, kinds=["buy"], symbols=["AAA"]) as stream:
        beat = next(message for message in stream.messages() if isinstance(message, Heartbeat))
    live = client.model().live
    assert (beat.calibration, beat.drifted) == (live.state, live.drifted)


def test_a_shadow_that_mirrors_the_active_model_disagrees_unless_both_say_flat(client):
    shadow = client.model("mirror").shadow
    assert shadow.compared == len(SYMBOLS) * SESSIONS + LEARNT
    signalled = list(client.history(kinds=["confidence"]))
    moved = sum(e.signal.probabilities.direction is not Direction.FLAT for e in signalled)
    assert shadow.disagreed == moved
    assert shadow.rate == pytest.approx(moved / shadow.compared)
    assert shadow.against == client.model().ref
    assert client.model().shadow is None
    assert {event.model.name for event in signalled} == {"sample-conv1d"}, "a shadow is never published"


def test_the_record_is_split_by_symbol_and_confidence_and_pays_its_costs(client):
    whole = client.track_record(cost=0.002)
    split = client.track_record(group_by=["symbol", TrackRecordGroup.CONFIDENCE], cost=0.002)
    both = next(r for r in whole.records if r.predicted is None)
    parts = [r for r in split.records if r.predicted is None]
    assert sum(r.count for r in parts) == both.count
    assert {r.symbol for r in parts} <= set(SYMBOLS)
    assert all(r.confidence[0] < r.confidence[1] for r in parts)
    assert both.net_return == pytest.approx(both.mean_return - 0.004, abs=1e-5)
    assert both.sessions <= SESSIONS
    bounds = both.mean_return_interval
    assert bounds.low < bounds.value == both.mean_return < bounds.high
    called = [o for o in client.history(kinds=["outcome"]) if o.symbol in SYMBOLS]
    called = [o for o in called if o.predicted is not Direction.FLAT]
    days = {each.day for each in both.carried_by}
    sides = {Direction.UP: 1, Direction.DOWN: -1}
    left = [
        sides[o.predicted] * o.realized_return
        for o in called
        if f"{o.signal_bar_close_time - timedelta(microseconds=1):%Y-%m-%d}" not in days
    ]
    assert 1 <= len(days) <= 5
    assert both.carried_by[-1].mean_without == pytest.approx(sum(left) / len(left))
    assert sum(p.count for p in whole.reliability if p.direction is None) == whole.outcomes
    assert all(p.realized_low <= p.realized <= p.realized_high for p in whole.reliability)
    assert any(p.realized_high - p.realized_low < 1 for p in whole.reliability)
    assert whole.left_out == LEARNT - 2
    assert (whole.backlog_bars, whole.open_signals) == (0, 2 * len(SYMBOLS) + 2)
    assert LEARNT_SYMBOL not in {r.symbol for r in split.records}


def test_the_edge_is_hits_minus_opposites_and_the_skill_is_split(client):
    track = client.track_record()
    outcomes = [o for o in client.history(kinds=["outcome"]) if o.symbol != LEARNT_SYMBOL]
    called = [o for o in outcomes if o.predicted is not Direction.FLAT]
    hits = sum(o.realized is o.predicted for o in called)
    opposites = sum(o.realized not in (o.predicted, Direction.FLAT) for o in called)
    both = next(r for r in track.records if r.predicted is None)
    assert (both.count, both.hits, both.opposites) == (len(called), hits, opposites)
    assert both.base_rate == pytest.approx((hits + opposites) / 2 / len(called))
    assert both.edge.value == pytest.approx((hits - opposites) / len(called))
    assert both.edge.value == pytest.approx(2 * (both.hit_rate - both.base_rate))
    assert both.moved_hit_rate.value == pytest.approx(hits / (hits + opposites))
    assert both.kept == sum(not o.abstained for o in called)
    skill, metrics = track.skill, client.model().metrics
    shares = [metrics[f"training/{name}_share"] for name in ("down", "flat", "up")]
    prior = -sum(math.log(shares[o.realized]) for o in outcomes) / len(outcomes)
    assert skill.log_loss_saved.value == pytest.approx(prior - track.log_loss, abs=1e-6)
    assert skill.flat.value + skill.direction.value == pytest.approx(skill.log_loss_saved.value, abs=1e-12)
    assert skill == both.skill
    assert skill.moved_hit_rate == both.moved_hit_rate
    moved = skill.moved_hit_rate
    assert skill.verdict is skill_verdict(skill.flat.low, skill.direction.low, moved.low, moved.high)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"cost": 0.5}, "cost: must be 0-0.1, is 0.5"),
        ({"group_by": ["symbol", "symbol"]}, r"group_by\[1\]"),
        ({"group_by": "age"}, "group_by: must be one of model, symbol, confidence"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(client, asked, text):
    with pytest.raises(InvalidRequestError, match=text):
        client.track_record(**asked)


def test_what_came_of_signals_survives_a_restart(client, folders):
    before, track = client.model().live, client.track_record()
    data, options = folders
    copied = data.parent / "copied"
    shutil.copytree(data, copied, ignore=shutil.ignore_patterns("lock"))
    with ServerProcess(copied, *options) as server, Client(server.address) as again:
        wait(lambda: again.model().live is not None and again.model().live.outcomes == before.outcomes)
        assert _rounded(asdict(again.model().live)) == _rounded(asdict(before))  # sums, in whatever order
        assert again.track_record() == track


def _rounded(found):
    if isinstance(found, dict):
        return {name: _rounded(value) for name, value in found.items()}
    if isinstance(found, tuple):
        return tuple(map(_rounded, found))
    return round(found, 12) if isinstance(found, float) else found


def test_a_shadow_that_is_not_there_is_refused_at_the_start(folders, tmp_path):
    _, (flag, models, *_) = folders
    command = [
        sys.executable,
        "-m",
        "glasstape.cli",
        "serve",
        "--port",
        "0",
        "--data-dir",
        str(tmp_path / "data"),
    ]
    done = subprocess.run(
        [*command, flag, models, "--shadow", "nobody"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "shadow: model: 'nobody' is not ready" in done.stderr
