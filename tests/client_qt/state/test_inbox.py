from datetime import timedelta

from glasstape import Disconnected, Opened, OpenResult, UnavailableError
from glasstape_qt.state.inbox import Inbox
from stores import DOWN, UP, batch, buy, confidence, opened

RESET = opened(OpenResult.RESET)


def test_only_the_newest_confidence_of_a_symbol_waits_and_no_buy_is_dropped():
    inbox = Inbox()
    inbox.put(batch(confidence("A", UP, 1), buy("A", 2), confidence("B", UP, 3)))
    inbox.put(batch(confidence("A", DOWN, 4), buy("A", 6)))
    taken = inbox.take()
    assert taken.confidences["A", "1d"].sequence == 4
    assert [event.sequence for event in taken.events] == [2, 6]
    assert taken.count == 5
    assert inbox.take() is None


def test_a_reset_voids_what_came_before_it():
    inbox = Inbox()
    inbox.put(Disconnected(error=UnavailableError("gone"), retry_in=timedelta(seconds=1), attempt=1))
    inbox.put(batch(confidence("OLD", UP, 7)))
    inbox.put(RESET)
    inbox.put(batch(confidence("NEW", UP, 1)))
    taken = inbox.take()
    assert taken.reset
    assert list(taken.confidences) == [("NEW", "1d")]
    assert [type(notice) for notice in taken.notices] == [Disconnected, Opened]
