"""The path of an accelerator, uncaptured, on the CPU: buckets, padding, buffers, and what happens without memory."""

import logging

import pytest
import torch
from glasstape_server.domain.values import Direction
from glasstape_server.explain.method import forward_and_gradient
from glasstape_server.explain.scores import OF_THE_WINNER, Question, Score
from glasstape_server.models.networks.architectures import ARCHITECTURES
from glasstape_server.models.runtime import cuda_graph as graphed
from glasstape_server.models.runtime.cuda_graph import Graphed

from tests.support.networks import attribute, make_scorer, rows_of

BUCKETS = (2, 8, 16)


def _windows(rows):
    return torch.randn(rows, 6, 8, generator=torch.Generator().manual_seed(rows))


def _close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize("question", [*OF_THE_WINNER, Question(target=Direction.DOWN)], ids=str)
def test_logits_gradients_and_answers_are_the_scorers_at_any_size(name, question):
    scorer = make_scorer(name)
    ours = Graphed(scorer, 6, 8, "cpu", OF_THE_WINNER, BUCKETS)
    for rows in (16, 1, 2, 7, 53):  # a large one first: what it leaves in the buffers must not show
        windows = _windows(rows)
        with torch.no_grad():
            _close(ours(windows), scorer(windows))
        made, expected = (forward_and_gradient(network, windows, question) for network in (ours, scorer))
        assert torch.equal(made[1].target, expected[1].target)
        assert (made[1].foil is None) == (expected[1].foil is None)
        for index in (0, 2, 3):
            _close(made[index], expected[index])


@pytest.mark.parametrize(
    "method", ["INTEGRATED_GRADIENTS", "SMOOTHGRAD", "OCCLUSION", "GRAD_CAM", "SHAPLEY_BARS"]
)
def test_every_kind_of_method_explains_with_it(method):
    scorer = make_scorer("conv1d")
    ours = Graphed(scorer, 6, 8, "cpu", OF_THE_WINNER, BUCKETS)
    made, expected = (
        attribute(network, rows_of(_windows(5)), method, score=Score.LOG_PROBABILITY)
        for network in (ours, scorer)
    )
    _close(made.values, expected.values)


def test_results_of_one_call_stay_when_the_next_is_computed():
    ours = Graphed(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS)
    first = ours(_windows(5))
    kept = first.clone()
    ours(_windows(6))
    assert torch.equal(first, kept)


@pytest.fixture
def little_memory(monkeypatch):
    """Programs of more than `limit` rows find no memory, when they are made or when they run."""

    class Little(graphed.Program):
        limit, running = 1000, 1000

        def __init__(self, function, given, device):
            if len(given[0]) > self.limit:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.size = len(given[0])
            super().__init__(function, given, device)

        def launch(self, given, into):
            if self.size > self.running:
                raise torch.OutOfMemoryError("CUDA out of memory")
            super().launch(given, into)

    monkeypatch.setattr(graphed, "Program", Little)
    return Little


def test_buckets_without_memory_are_left_out(little_memory, caplog):
    little_memory.limit = 8
    scorer = make_scorer("conv1d")
    with caplog.at_level(logging.WARNING):
        ours = Graphed(scorer, 6, 8, "cpu", (), BUCKETS)
    assert ours.buckets == (2, 8)
    assert "no memory for 16 rows at once" in caplog.text
    with torch.no_grad():
        _close(ours(_windows(50)), scorer(_windows(50)))


def test_memory_that_runs_out_halves_the_bucket_and_the_call_is_answered(little_memory, caplog):
    scorer = make_scorer("conv1d")
    ours = Graphed(scorer, 6, 8, "cpu", OF_THE_WINNER, BUCKETS)
    little_memory.running = 8
    with caplog.at_level(logging.WARNING), torch.no_grad():
        _close(ours(_windows(50)), scorer(_windows(50)))
    assert ours.buckets == (2, 8)
    assert "out of memory, at most 8 rows at once now" in caplog.text


def test_it_is_tried_once_and_never_without_an_end(little_memory):
    ours = Graphed(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS)
    little_memory.running = 1
    with pytest.raises(torch.OutOfMemoryError):
        ours(_windows(50))
    little_memory.running = 2
    assert len(ours(_windows(50))) == 50
    assert ours.buckets == (2,)


def test_without_memory_for_the_smallest_there_is_no_network(little_memory):
    little_memory.limit = 1
    with pytest.raises(torch.OutOfMemoryError):
        Graphed(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS)


def test_a_question_that_was_not_captured_is_refused():
    ours = Graphed(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS)
    assert not ours.answers(Question())
    with pytest.raises(KeyError):
        ours.both(_windows(1), Question())
