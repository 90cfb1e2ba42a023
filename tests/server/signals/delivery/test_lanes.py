from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery.lanes import Lanes
from glasstape_server.signals.delivery.record_batch import RecordBatch
from glasstape_server.signals.journal.records import Record
from hypothesis import given
from hypothesis import strategies as st
from journals import MODEL


def record(sequence, kind, symbol):
    return Record(sequence, bytes(16), kind, symbol, "1d", MODEL, 0.5, 0, b"", bytes(8))


def take(lanes):
    pages, replaced = lanes.take()
    return [record for page in pages for record in page.records], replaced


OFFERS = st.lists(
    st.tuples(st.sampled_from(list(Kind)), st.sampled_from("ABC"), st.booleans(), st.booleans()), max_size=60
)


@given(OFFERS)
def test_order_holds_buys_arrive_and_the_last_confidence_wins(offers):
    lanes = Lanes(1000, every_event=False)
    delivered, conflated = [], 0
    batch = []
    for sequence, (kind, symbol, end, flush) in enumerate(offers, 1):
        batch.append(record(sequence, kind, symbol))
        if end:
            lanes.offer(RecordBatch(batch))
            batch = []
        if end and flush:
            records, replaced = take(lanes)
            delivered += records
            conflated += replaced
    lanes.offer(RecordBatch(batch))
    records, replaced = take(lanes)
    delivered += records
    sequences = [r.sequence for r in delivered]
    assert sequences == sorted(set(sequences))
    lossless = [n for n, (kind, _, _, _) in enumerate(offers, 1) if kind is not Kind.CONFIDENCE]
    assert [r.sequence for r in delivered if r.kind is not Kind.CONFIDENCE] == lossless
    for symbol in "ABC":
        sent = [n for n, (kind, s, _, _) in enumerate(offers, 1) if kind is Kind.CONFIDENCE and s == symbol]
        got = [r.sequence for r in delivered if r.kind is Kind.CONFIDENCE and r.symbol == symbol]
        assert got[-1:] == sent[-1:]
    assert len(delivered) + conflated + replaced == len(offers)
    assert not lanes


def test_every_event_conflates_nothing():
    lanes = Lanes(1000, every_event=True)
    for sequence in range(1, 4):
        lanes.offer(RecordBatch([record(sequence, Kind.CONFIDENCE, "A")]))
    assert [r.sequence for r in take(lanes)[0]] == [1, 2, 3]


def test_only_lossless_records_overflow():
    lanes = Lanes(2, every_event=False)
    for sequence in range(1, 9):
        lanes.offer(RecordBatch([record(sequence, Kind.CONFIDENCE, str(sequence))]))
    assert not lanes.overflowed
    for sequence in range(9, 12):
        lanes.offer(RecordBatch([record(sequence, Kind.BUY, "A")]))
    assert lanes.overflowed


def test_readers_that_keep_up_share_what_they_are_sent():
    batch = RecordBatch([record(1, Kind.CONFIDENCE, "A"), record(2, Kind.BUY, "A")])
    first, second = Lanes(10, every_event=False), Lanes(10, every_event=True)
    first.offer(batch)
    second.offer(batch)
    assert first.take()[0][0] is second.take()[0][0]
