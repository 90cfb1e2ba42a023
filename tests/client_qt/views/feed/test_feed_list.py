import pytest
from glasstape_qt.views.feed.feed_list import FeedList
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel


@pytest.fixture
def feed(context, qtbot):
    feed = FeedList(context.store, context.appearance)
    qtbot.addWidget(feed)
    feed.model.update_rows(reset=True)
    feed.show()
    return feed


def test_buys_are_paused_pinned_snoozed_and_acknowledged(feed, context):
    buys = context.store.buys
    feed.pause.click()
    assert feed.pause.text() == "Resume"
    feed.pause.click()
    assert feed.pause.text() == "Pause"
    buy = feed.model.buy(3)
    for action in feed.menu(3).actions():
        action.trigger()
    changed = buys.get(buy.event.sequence)
    assert changed.pinned
    assert changed.acknowledged
    assert buys.snoozed[buy.event.symbol] == pytest.approx(context.store.now() + 1800)
    assert f"({feed.model.unseen} new)" in feed.seen.text()
    feed.seen.click()
    assert feed.model.unseen == 0
    assert feed.seen.text() == "Mark all seen"


def test_enter_requests_the_signal_of_a_buy(feed, context, qtbot):
    feed.list.selectRow(2)
    buy = feed.model.buy(2)
    with qtbot.waitSignal(feed.signal_requested) as requested:
        qtbot.keyClick(feed.list, Qt.Key.Key_Return)
    assert requested.args == [buy.event.symbol, buy.event.confidence_sequence]
    assert context.store.buys.get(buy.event.sequence).acknowledged


def test_a_filter_without_a_match_says_so(feed, qtbot):
    qtbot.keyClicks(feed.search, "no such symbol")
    placeholder = feed.findChild(QLabel, "feedPlaceholder")
    assert placeholder.isVisible()
    assert "No buy matches" in placeholder.text()
