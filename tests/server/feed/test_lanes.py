from glasstape_server.domain import Kind
from glasstape_server.feed.lanes import Lanes
from glasstape_server.feed.log import Record
from hypothesis import given
from hypothesis import strategies as st


def record(sequence, kind, symbol):
    return Record(sequence, kind, symbol, "1d", "m", 0.5, 0, b"")


OFFERS = st.lists(st.tuples(st.sampled_from(list(Kind)), st.sampled_from("ABC"), st.booleans()), max_size=60)


@given(OFFERS)
def test_order_holds_buys_arrive_and_the_last_confidence_wins(offers):
    lanes = Lanes(1000, every_event=False)
    delivered, conflated = [], 0
    for sequence, (kind, symbol, flush) in enumerate(offers, 1):
        lanes.offer(record(sequence, kind, symbol))
        if flush:
            records, replaced = lanes.take()
            delivered += records
            conflated += replaced
    records, replaced = lanes.take()
    delivered += records
    sequences = [r.sequence for r in delivered]
    assert sequences == sorted(set(sequences))
    lossless = [n for n, (kind, _, _) in enumerate(offers, 1) if kind is not Kind.CONFIDENCE]
    assert [r.sequence for r in delivered if r.kind is not Kind.CONFIDENCE] == lossless
    for symbol in "ABC":
        sent = [n for n, (kind, s, _) in enumerate(offers, 1) if kind is Kind.CONFIDENCE and s == symbol]
        got = [r.sequence for r in delivered if r.kind is Kind.CONFIDENCE and r.symbol == symbol]
        assert got[-1:] == sent[-1:]
    assert len(delivered) + conflated + replaced == len(offers)
    assert not lanes


def test_every_event_conflates_nothing():
    lanes = Lanes(1000, every_event=True)
    for sequence in range(1, 4):
        lanes.offer(record(sequence, Kind.CONFIDENCE, "A"))
    assert [r.sequence for r in lanes.take()[0]] == [1, 2, 3]


def test_only_lossless_records_overflow():
    lanes = Lanes(2, every_event=False)
    for sequence in range(1, 9):
        lanes.offer(record(sequence, Kind.CONFIDENCE, str(sequence)))
    assert not lanes.overflowed
    for sequence in range(9, 12):
        lanes.offer(record(sequence, Kind.BUY, "A"))
    assert lanes.overflowed
