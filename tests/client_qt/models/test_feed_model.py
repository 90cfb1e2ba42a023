from dataclasses import replace

import pytest
from glasstape import Instrument
from glasstape_qt.models.feed_model import COLUMNS, FeedModel
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QAbstractItemModelTester
from stores import UP, apply, batch, buy, make_store, outcome


@pytest.fixture
def store():
    return make_store()


@pytest.fixture
def model(qapp, appearance, store):
    model = FeedModel(store)
    model.tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    return model


@pytest.fixture
def add(store, model):
    """Adds events to the store and shows them in the model."""

    def add(*events):
        apply(store, batch(*events))
        model.update_rows()

    return add


def column(model, name):
    return [model.data(model.index(n, COLUMNS.index(name))) for n in range(model.rowCount())]


def test_the_newest_buy_is_on_top_and_pinned_ones_above_it(model, store, add):
    add(buy("A", 2), buy("B", 4))
    add(buy("C", 6))
    assert column(model, "code") == ["C", "B", "A"]
    store.buys.pin(2, True)
    model.update_rows()
    assert column(model, "code") == ["A", "C", "B"]
    assert "pinned" in column(model, "state")[0]


def test_a_paused_list_adds_no_buys_and_counts_those_held_back(model, add):
    add(buy("A", 2))
    model.set_paused(True)
    add(buy("B", 4), buy("C", 6))
    assert column(model, "code") == ["A"]
    assert model.held_back == 2
    model.set_paused(False)
    assert column(model, "code") == ["C", "B", "A"]
    assert model.held_back == 0


def test_outcomes_are_shown_while_paused(model, add):
    add(buy("A", 2))
    model.set_paused(True)
    add(outcome("A", of=1, hit=False, moved=-0.0123))
    assert column(model, "outcome") == ["miss -1.23% (DOWN)"]


def test_the_filter_matches_codes_names_and_models(model, store, add):
    store.describe([], [Instrument(symbol="A", name="Apple", local_name="애플", price_decimals=2)])
    add(buy("A", 2), buy("B", 4))
    model.set_filter("애플")
    assert column(model, "code") == ["A"]
    assert column(model, "price") == ["100.00"]
    model.set_filter("fake")  # the model's name
    assert len(column(model, "code")) == 2


def test_acknowledged_buys_have_a_state_and_an_accessible_description(model, store, add):
    add(buy("A", 2))
    store.buys.acknowledge(2)
    model.update_rows()
    assert column(model, "state") == ["seen"]
    index = model.index(0, 0)
    assert "State: seen" in model.data(index, Qt.ItemDataRole.AccessibleDescriptionRole)


def test_abstained_buys_are_listed_on_request_only(model, add):
    add(buy("A", 2, replace(UP, abstained=True)), buy("B", 4))
    assert (column(model, "code"), model.unseen) == (["B"], 1)
    model.set_show_abstained(True)
    assert (column(model, "code"), model.unseen) == (["B", "A"], 2)


@pytest.mark.parametrize(
    ("text", "codes"),
    [("!abstained", ["B"]), ("buy>=50", ["B", "A"]), ("ㅅㅅ", ["A"]), ("down", []), ("UP b", ["B"])],
)
def test_the_filter_knows_the_words_of_the_watch_table(model, store, add, text, codes):
    store.describe([], [Instrument(symbol="A", local_name="삼성전자")])
    add(buy("A", 2, replace(UP, abstained=True)), buy("B", 4))
    model.set_show_abstained(True)
    model.set_filter(text)
    assert column(model, "code") == codes


def test_descriptions_that_arrive_later_change_names_and_times(model, store, add):
    add(buy("A", 2))
    assert column(model, "time") == ["2026-01-05 21:00 UTC"]
    changes = store.describe([], [Instrument(symbol="A", name="Apple", time_zone="America/New_York")])
    assert changes.buys
    assert (column(model, "time"), column(model, "name")) == (["2026-01-05 16:00 EST"], ["Apple"])
