import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from glasstape import Direction, Instrument, OpenResult
from glasstape.testing import MODEL, make_confidence
from glasstape_qt import state
from glasstape_qt.state.buy_list import BuyOutcome
from stores import DOWN, START, UP, Clock, apply, batch, buy, confidence, make_store, opened, outcome


def test_the_state_needs_no_qt():
    modules = [path.stem for path in Path(state.__file__).parent.glob("*.py") if path.stem != "__init__"]
    names = ", ".join(f"glasstape_qt.state.{module}" for module in modules)
    code = f"import {names}, sys; print([m for m in sys.modules if m.startswith('PyQt6')])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_rows_take_the_newest_confidence_and_a_late_older_one_changes_nothing():
    store = make_store()
    assert apply(store, batch(confidence("A", DOWN, 5))).rows == {"A"}
    assert apply(store, batch(confidence("A", UP, 4))).rows == set()
    assert store.rows["A"].direction is Direction.DOWN


@pytest.mark.parametrize(
    ("value", "strength"),
    [
        (make_confidence(0.3, 0.37, 0.33), 0.0),
        (make_confidence(0.1, 0.2, 0.7), 1.0),
        (make_confidence(0.28, 0.30, 0.42), pytest.approx((0.42 - 0.33) / 0.17)),
        (make_confidence(0.51, 0.0, 0.49), 0.25),
    ],
)
def test_the_ramp_runs_from_the_base_rate_to_its_top_and_stays_faint_unless_up_won(value, strength):
    store = make_store()
    apply(store, batch(confidence("A", value)))
    assert store.rows["A"].strength() == strength


def test_a_reset_drops_rows_and_buys():
    store = make_store()
    apply(store, batch(confidence("A", UP, 1), buy("A", 2)))
    changes = apply(store, opened(OpenResult.RESET), batch(confidence("B", UP, 1)))
    assert changes.reset
    assert list(store.rows) == ["B"]
    assert len(store.buys) == 0


def test_rows_of_an_earlier_run_are_old_until_something_newer_comes():
    store = make_store()
    store.restore_rows([confidence("A", UP, 900)])
    assert store.rows["A"].old
    apply(store, batch(confidence("A", DOWN, 3)))  # another epoch may count from the beginning
    assert not store.rows["A"].old
    assert store.rows["A"].event.sequence == 3


def test_a_buy_is_listed_once_and_gets_its_outcome_even_if_that_came_first():
    store = make_store()
    store.add_history([outcome("A", of=1), buy("A", 2)])
    apply(store, batch(buy("A", 2), buy("B", 4), outcome("B", of=3, sequence=5, hit=False, moved=-0.02)))
    assert [entry.event.sequence for entry in store.buys] == [2, 4]
    assert store.buys.get(2).outcome is BuyOutcome.HIT
    assert store.buys.get(4).outcome is BuyOutcome.MISS
    assert store.buys.get(4).realized_return == -0.02


def test_models_and_names_that_come_later_reach_the_rows():
    store = make_store()
    other = replace(MODEL, ref=replace(MODEL.ref, digest="1" * 64))
    apply(store, batch(replace(confidence("A"), model=other.ref)))
    assert store.unknown_models == {other.ref}
    assert store.rows["A"].strength() == 0.0
    store.describe([other], [Instrument(symbol="A", name="Apple", local_name="애플")])
    assert store.rows["A"].strength() == 1.0
    assert (store.rows["A"].name("en"), store.rows["A"].name("ko")) == ("Apple", "애플")
    assert not store.unknown_models


def test_confidences_beyond_the_time_budget_are_applied_by_later_calls():
    store = make_store(wall=Clock(START.timestamp()), apply_budget=0.0)
    first = apply(store, batch(*(confidence(f"S{n}", UP, n + 1) for n in range(200))))
    assert store.has_backlog
    assert 0 < len(first.rows) < 200
    newer = confidence("S199", DOWN, 500)
    while store.has_backlog:
        apply(store, batch(newer))
    assert len(store.rows) == 200
    assert store.rows["S199"].event.sequence == 500


def test_another_contract_version_ends_the_connection_with_a_reason():
    store = make_store()
    apply(store, opened(contract="2.3"))
    assert store.connection.state == "ended"
    assert store.connection.disconnect_reason.key == "link.contract"
    assert store.connection.disconnect_reason.values == {"theirs": "2.3", "ours": "1"}
