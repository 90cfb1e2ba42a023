from dataclasses import replace

from glasstape_qt.state.symbol_detail import SymbolDetail
from stores import DOWN, UP, confidence, outcome


def detail_of(days):
    detail = SymbolDetail("A", "1d")
    for day in days:
        detail.add_signal(confidence("A", UP if day % 2 else DOWN, day + 1, days=day))
    return detail


def test_live_signals_bring_their_bars_and_the_newest_is_shown():
    detail = detail_of(range(8))
    assert len(detail.bars) == 8
    assert detail.selected_signal.sequence == 8
    assert detail.input_window(6) == (2, 7)
    assert detail.input_window(9) is None


def test_history_joins_what_came_live_without_a_signal_twice():
    detail = detail_of([6, 7])
    past = [confidence("A", UP, n + 1, days=n) for n in range(8)]
    detail.add_history([event.signal.bar for event in past], [*reversed(past), outcome("A", of=3, hit=False)])
    assert [event.sequence for event in detail.signals] == list(range(1, 9))
    assert len(detail.bars) == 8
    assert detail.was_hit(past[2]) is False
    assert detail.was_hit(past[3]) is None


def test_a_past_signal_can_be_pinned():
    detail = detail_of(range(8))
    detail.pin(detail.signal(7))
    assert detail.selected_signal.sequence == 7
    assert detail.input_window(6) == (1, 6)
    detail.add_signal(confidence("A", UP, 9, days=8))
    assert detail.selected_signal.sequence == 7


def test_signals_of_another_interval_are_not_mixed_in():
    detail = detail_of([0])
    detail.add_signal(replace(confidence("A", UP, 5), interval="15m"))
    assert len(detail.signals) == 1


def test_a_pinned_signal_outlives_the_ones_that_are_kept_and_brings_its_own_bars():
    detail = detail_of(range(8))
    old = confidence("A", UP, 1, days=-900)
    detail.pin(old)
    detail.past_bars = [confidence("A", UP, 1, days=day).signal.bar for day in range(-910, -899)]
    for number in range(500):
        detail.add_signal(confidence("A", DOWN, 100 + number, days=8 + number))
    assert detail.selected_signal == old
    assert detail.input_window(6) == (5, 10)
    assert detail.bars == detail.past_bars
    detail.pin(None)
    assert detail.selected_signal.sequence == 599
    assert detail.bars == detail.recent_bars
