"""What every history guarantees."""

from dataclasses import replace

import numpy as np
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.journal.records import Selection
from journals import BUY, MODEL, A, B, append


async def test_records_come_back_as_they_were_appended(journal, history):
    other = replace(MODEL, version="2", digest="e")
    first, second = await append(journal, A, BUY), await append(journal, B, model=other)
    assert history.read(0, 9) == [*first, *second]
    assert history.read(1, 1) == [first[1]]
    assert history.read(3, 9) == []
    assert history.record(3) == second[0]
    assert history.record(4) is history.record(0) is None
    assert [record.model for record in history.read(0, 9)] == [MODEL, MODEL, other]
    assert (first[1].kind, first[1].symbol, first[1].interval, first[1].winning) == (Kind.BUY, "A", "1d", 0.4)


async def test_chain_hashes_are_those_of_the_records(journal, history):
    records = await append(journal, A, BUY)
    assert [history.chain_at(sequence) for sequence in (0, 1, 2, 3)] == [
        bytes(8),
        records[0].chain,
        records[1].chain,
        None,
    ]


async def test_a_window_belongs_to_a_confidence_and_its_buy(journal, history):
    await append(journal, B, A, BUY, ("OUTCOME", "B", 0.4), resolves=1)
    for sequence, value in ((1, 1), (2, 2), (3, 2)):
        window = np.frombuffer(history.window(sequence), "<f4").reshape(6, 8)
        assert (window == value).all()
    assert history.window(4) is history.window(5) is None


async def test_progress_and_what_is_unresolved(journal, history):
    await append(journal, A, BUY, B, progress={("A", "1d"): 7, ("B", "1d"): 7})
    assert [record.sequence for record in history.unresolved()] == [1, 3]
    await append(journal, ("OUTCOME", "A", 0.4), resolves=1, progress={("A", "1d"): 8})
    assert [record.sequence for record in history.unresolved()] == [3]
    assert history.progress() == {("A", "1d"): 8, ("B", "1d"): 7}
    await append(journal, progress={("B", "1d"): 9})
    assert history.progress() == {("A", "1d"): 8, ("B", "1d"): 9}


async def test_pages_filter_and_run_both_ways(journal, history):
    await append(
        journal, A, BUY, ("CONFIDENCE", "B", 0.6), ("OUTCOME", "B", 0.1), ("BUY", "B", 0.6), resolves=1
    )

    def page(limit=10, descending=False, first=1, last=5, **selection):
        records = history.page(Selection(**selection), first, last, limit, descending)
        return [record.sequence for record in records]

    assert page() == [1, 2, 3, 4, 5]
    assert page(first=2, last=4) == [2, 3, 4]
    assert page(2, True) == [5, 4]
    assert page(symbols=frozenset({"B"})) == [3, 4, 5]
    assert page(kinds=frozenset({Kind.BUY})) == [2, 5]
    assert page(min_confidence=0.5) == [3, 4, 5]  # outcomes always pass
    assert page(symbols=frozenset({"Z"})) == []


async def test_the_latest_of_each_symbol_and_model_name_and_unexpired_buys(journal, history):
    await append(journal, A, BUY, A, B, ("OUTCOME", "A", 0.4), resolves=1)
    await append(journal, A, model=replace(MODEL, name="other"))
    assert [record.sequence for record in history.latest(now=0)] == [2, 3, 4, 6]
    assert [record.sequence for record in history.latest(now=1 << 61)] == [3, 4, 6]
    await append(journal, B, model=replace(MODEL, version="2", digest="e"))
    assert [record.sequence for record in history.latest(now=1 << 61)] == [3, 6, 7], "versions share a name"
