import pytest
from desks import batch, buy, feed, make_desk, outcome
from glasstape import Instrument
from glasstape_qt.models.feed import COLUMNS, FeedModel
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QAbstractItemModelTester


@pytest.fixture
def model(qapp, appearance):
    made = FeedModel(make_desk())
    made.tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    return made


def take(model, *events):
    feed(model._desk, batch(*events))
    model.take()


def column(model, name):
    return [model.data(model.index(n, COLUMNS.index(name))) for n in range(model.rowCount())]


def test_the_newest_buy_is_on_top_and_pinned_ones_above_it(model):
    take(model, buy("A", 2), buy("B", 4))
    take(model, buy("C", 6))
    assert column(model, "code") == ["C", "B", "A"]
    model._desk.buys.pin(2, True)
    model.take()
    assert column(model, "code") == ["A", "C", "B"]
    assert "pinned" in column(model, "state")[0]


def test_a_paused_list_stands_still_and_counts_what_waits(model):
    take(model, buy("A", 2))
    model.pause(True)
    take(model, buy("B", 4), buy("C", 6))
    assert column(model, "code") == ["A"]
    assert model.waiting == 2
    model.pause(False)
    assert column(model, "code") == ["C", "B", "A"]
    assert model.waiting == 0


def test_outcomes_arrive_in_their_line_also_while_paused(model):
    take(model, buy("A", 2))
    model.pause(True)
    take(model, outcome("A", of=1, hit=False, moved=-0.0123))
    assert column(model, "outcome") == ["miss -1.23% (DOWN)"]


def test_the_filter_looks_into_codes_and_names(model):
    model._desk.describe([], [Instrument(symbol="A", name="Apple", local_name="애플", price_decimals=2)])
    take(model, buy("A", 2), buy("B", 4))
    model.filter("애플")
    assert column(model, "code") == ["A"]
    assert column(model, "price") == ["100.00"]
    model.filter("fake")  # the model's name
    assert len(column(model, "code")) == 2


def test_acknowledged_and_expired_are_said_and_heard(model):
    take(model, buy("A", 2))
    model._desk.buys.acknowledge(2)
    model.take()
    assert column(model, "state") == ["seen"]
    index = model.index(0, 0)
    assert "State: seen" in model.data(index, Qt.ItemDataRole.AccessibleDescriptionRole)


def test_pinned_buys_outlive_the_limit(model, monkeypatch):
    monkeypatch.setattr("glasstape_qt.state.buys.KEPT", 3)
    take(model, buy("KEEP", 2))
    model._desk.buys.pin(2, True)
    take(model, *(buy(f"S{n}", 4 + 2 * n) for n in range(6)))
    assert "KEEP" in column(model, "code")
    assert model.rowCount() == 3
