from datetime import UTC, datetime, timedelta

import pytest
from glasstape import Bar
from glasstape.sources.close_book import CloseBook, Revision

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRACE = timedelta(seconds=10)


def at(minute, second=0.0):
    return START + minute * MINUTE + timedelta(seconds=second)


def bar(symbol, minute, close=100.0, **options):
    return Bar(
        symbol=symbol, interval="1m", close_time=at(minute), open=100.0, high=200.0, low=1.0, close=close,
        volume=1.0, **options,
    )  # fmt: skip


def forming(symbol, minute, close=100.0):
    return bar(symbol, minute, close, provisional=True)


def fill(book, symbol, through, *bars):
    book.fill(symbol, bars, through, book.position(symbol)[1])


@pytest.fixture
def book():
    """Two symbols that are complete until minute 0."""
    return ready_book()


def ready_book(**options):
    book = CloseBook(MINUTE, grace=GRACE, poll_after=timedelta(seconds=1), **options)
    for symbol in ("A", "B"):
        book.start(symbol, at(0), [bar(symbol, minute) for minute in range(-5, 1)])
        fill(book, symbol, at(0, 1))
    return book


def test_a_symbol_is_requested_until_its_history_came():
    book = CloseBook(MINUTE, grace=GRACE, poll_after=timedelta(seconds=1))
    book.start("A", at(0))
    assert "A" in book.to_poll(at(5))
    fill(book, "A", at(5), *(bar("A", minute) for minute in range(1, 6)))
    assert book.to_poll(at(5)) == []
    assert [[item.close_time for item in bars] for bars in book.take_ready(at(5))] == [
        [at(minute)] for minute in range(1, 6)
    ]


def test_the_bars_of_a_close_are_ready_together(book):
    book.offer(bar("A", 1))
    assert book.take_ready(at(1, 2)) == []
    book.offer(bar("B", 1))
    assert [{item.symbol for item in bars} for bars in book.take_ready(at(1, 2))] == [{"A", "B"}]
    assert book.take_ready(at(1, 60)) == []


def test_a_straggler_does_not_hold_a_close_longer_than_the_grace(book):
    book.offer(bar("A", 1))
    assert book.next_ready(at(1, 2)) == at(1, 10)
    assert [[item.symbol for item in bars] for bars in book.take_ready(at(1, 10))] == [["A"]]
    book.offer(bar("B", 1))
    assert [[item.symbol for item in bars] for bars in book.take_ready(at(1, 11))] == [["B"]]


def test_a_straggler_is_requested_and_its_later_bars_wait_for_it(book):
    book.offer(forming("A", 1))
    book.offer(bar("A", 1))
    book.note_time(at(1, 1))
    assert book.to_poll(at(1, 0.5)) == []
    assert book.to_poll(at(1, 1)) == ["B"]
    book.offer(bar("B", 2))  # the bar of minute 1 is missing
    book.take_ready(at(1, 15))
    assert book.to_poll(at(2)) == ["B"]
    fill(book, "B", at(2, 0.5), bar("B", 1))
    assert [[item.close_time for item in bars] for bars in book.take_ready(at(2, 10))] == [[at(1)], [at(2)]]


def test_a_close_without_a_bar_is_accepted_after_the_grace(book):
    book.offer(bar("A", 1))
    fill(book, "B", at(1, 2))
    assert "B" in book.to_poll(at(1, 5))
    fill(book, "B", at(1, 11))
    assert book.to_poll(at(1, 30)) == []
    book.offer(bar("B", 2))
    assert [
        item.symbol for bars in book.take_ready(at(2, 10)) for item in bars if item.close_time == at(2)
    ] == ["B"]


def test_a_gap_in_history_is_requested_once_more(book):
    fill(book, "A", at(3), bar("A", 1), bar("A", 3))
    assert [item.close_time for bars in book.take_ready(at(3)) for item in bars] == [at(1)]
    assert "A" not in book.to_poll(at(3, 9))
    assert "A" in book.to_poll(at(3, 10))
    fill(book, "A", at(3, 10), bar("A", 2), bar("A", 3))
    assert [item.close_time for bars in book.take_ready(at(3, 10)) for item in bars] == [at(2), at(3)]
    assert book.missing == 0


def test_a_gap_that_stays_is_counted(book):
    for second in (0, 10):
        fill(book, "A", at(3, second), bar("A", 1), bar("A", 3))
    assert [item.close_time for bars in book.take_ready(at(3, 10)) for item in bars] == [at(1), at(3)]
    assert book.missing == 1


def test_sparse_markets_have_no_gaps():
    book = ready_book(sparse=True)
    book.offer(bar("A", 7))
    assert [len(bars) for bars in book.take_ready(at(7, 1))] == [1]
    assert book.to_poll(at(7, 1)) == []


def test_a_forming_bar_of_a_sparse_market_is_requested_after_its_close():
    book = ready_book(sparse=True)
    book.offer(forming("A", 1))
    book.offer(forming("A", 2))
    assert book.to_poll(at(1, 1)) == ["A"]
    assert book.next_poll(at(0, 50)) == at(1, 1)


def test_equal_bars_are_duplicates_and_others_revisions(book):
    book.offer(bar("A", 1))
    book.offer(bar("B", 1))
    book.take_ready(at(1))
    book.offer(bar("A", 1))
    assert (book.duplicates, book.revisions) == (1, [])
    for _ in range(2):  # each is reported once
        book.offer(bar("A", 1, close=101.0))
    assert book.revisions == [(Revision.CORRECTED, bar("A", 1, close=101.0))]


def test_values_that_come_before_the_close_is_published_replace_the_first(book):
    book.offer(bar("A", 1))
    book.offer(bar("A", 1, close=101.0))
    book.offer(bar("B", 1))
    assert {item.symbol: item.close for item in book.take_ready(at(1))[0]} == {"A": 101.0, "B": 100.0}
    assert book.revisions == []


def test_a_bar_that_fills_an_accepted_gap_is_late(book):
    for second in (0, 10):
        fill(book, "A", at(3, second), bar("A", 1), bar("A", 3))
    fill(book, "A", at(4), bar("A", 2), bar("A", 3))
    assert book.revisions == [(Revision.LATE, bar("A", 2))]


def test_moving_a_symbol_forgets_what_was_accepted(book):
    book.offer(bar("A", 1))
    generation = book.position("A")[1]
    book.start("A", at(0))
    book.fill("A", [bar("A", 1, close=5.0)], at(1), generation)  # an answer to a request before the move
    assert book.take_ready(at(9)) == []
    assert "A" in book.to_poll(at(9))


def test_a_full_book_leaves_bars_with_the_source():
    book = ready_book(limit=2)
    fill(book, "A", at(5), *(bar("A", minute) for minute in range(1, 6)))
    assert book.to_poll(at(5)) == []
    assert [bars[0].close_time for bars in book.take_ready(at(5))] == [at(1), at(2)]
    assert "A" in book.to_poll(at(5))


def test_the_newest_forming_bar_of_each_symbol_is_taken_once(book):
    for close in (1.0, 2.0):
        book.offer(forming("A", 1, close))
    book.offer(forming("A", 0, 9.0))
    assert [item.close for item in book.take_forming()] == [2.0]
    assert book.take_forming() == []


def test_a_symbol_without_bars_is_requested_ever_less_often(book):
    requests = []
    for minute in range(1, 130):
        book.offer(bar("A", minute))
        book.take_ready(at(minute, 11))
        if "B" in book.to_poll(at(minute, 11)):
            requests.append(minute)
            fill(book, "B", at(minute, 11))
    assert requests == [1, 2, 3, 11, 27, 59, 123]
