import subprocess
import sys
from dataclasses import replace

import pytest
from desks import DOWN, START, UP, Clock, batch, buy, confidence, feed, make_desk, opened, outcome
from glasstape import Direction, Instrument, OpenResult
from glasstape.testing import MODEL, make_confidence
from glasstape_qt.state.buys import Outcome


def test_the_state_needs_no_qt():
    rooms = ["desk", "preferences", "exchange", "search", "trust", "snapshot", "detail"]
    names = ", ".join(f"glasstape_qt.state.{room}" for room in rooms)
    code = f"import {names}, sys; print([m for m in sys.modules if m.startswith('PyQt6')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_rows_take_the_newest_confidence_and_a_late_older_one_changes_nothing():
    desk = make_desk()
    assert feed(desk, batch(confidence("A", DOWN, 5))).rows == {"A"}
    assert feed(desk, batch(confidence("A", UP, 4))).rows == set()
    assert desk.rows["A"].direction is Direction.DOWN


@pytest.mark.parametrize(
    ("said", "strength"),
    [
        (make_confidence(0.3, 0.37, 0.33), 0.0),
        (make_confidence(0.1, 0.2, 0.7), 1.0),
        (make_confidence(0.28, 0.30, 0.42), pytest.approx((0.42 - 0.33) / 0.17)),
        (make_confidence(0.51, 0.0, 0.49), 0.25),
    ],
)
def test_the_ramp_runs_from_the_base_rate_to_its_top_and_stays_faint_unless_up_won(said, strength):
    desk = make_desk()
    feed(desk, batch(confidence("A", said)))
    assert desk.rows["A"].strength() == strength


def test_a_reset_forgets_rows_and_buys():
    desk = make_desk()
    feed(desk, batch(confidence("A", UP, 1), buy("A", 2)))
    changes = feed(desk, opened(OpenResult.RESET), batch(confidence("B", UP, 1)))
    assert changes.reset
    assert list(desk.rows) == ["B"]
    assert len(desk.buys) == 0


def test_rows_of_an_earlier_run_are_old_until_something_newer_comes():
    desk = make_desk()
    desk.remember([confidence("A", UP, 900)])
    assert desk.rows["A"].old
    feed(desk, batch(confidence("A", DOWN, 3)))  # another epoch may count from the beginning
    assert not desk.rows["A"].old
    assert desk.rows["A"].event.sequence == 3


def test_a_buy_is_listed_once_and_gets_its_outcome_even_if_that_came_first():
    desk = make_desk()
    desk.recall([outcome("A", of=1), buy("A", 2)])
    feed(desk, batch(buy("A", 2), buy("B", 4), outcome("B", of=3, sequence=5, hit=False, moved=-0.02)))
    assert [one.event.sequence for one in desk.buys] == [2, 4]
    assert desk.buys.get(2).outcome is Outcome.HIT
    assert desk.buys.get(4).outcome is Outcome.MISS
    assert desk.buys.get(4).realised_return == -0.02


def test_models_and_names_that_come_later_reach_the_rows():
    desk = make_desk()
    other = replace(MODEL, ref=replace(MODEL.ref, digest="1" * 64))
    feed(desk, batch(replace(confidence("A"), model=other.ref)))
    assert desk.unknown_models == {other.ref}
    assert desk.rows["A"].strength() == 0.0
    desk.describe([other], [Instrument(symbol="A", name="Apple", local_name="애플")])
    assert desk.rows["A"].strength() == 1.0
    assert (desk.rows["A"].name("en"), desk.rows["A"].name("ko")) == ("Apple", "애플")
    assert not desk.unknown_models


def test_a_delivery_too_large_for_one_look_is_taken_bit_by_bit(monkeypatch):
    monkeypatch.setattr("glasstape_qt.state.desk.SLICE", 0.0)
    desk = make_desk(wall=Clock(START.timestamp()))
    first = feed(desk, batch(*(confidence(f"S{n}", UP, n + 1) for n in range(200))))
    assert desk.behind
    assert 0 < len(first.rows) < 200
    newer = confidence("S199", DOWN, 500)
    while desk.behind:
        feed(desk, batch(newer))
    assert len(desk.rows) == 200
    assert desk.rows["S199"].event.sequence == 500


def test_another_contract_version_is_said_and_not_followed():
    desk = make_desk()
    feed(desk, opened(contract="2.3"))
    assert desk.connection.state == "ended"
    assert desk.connection.trouble.key == "link.contract"
    assert desk.connection.trouble.values == {"theirs": "2.3", "ours": "1"}
