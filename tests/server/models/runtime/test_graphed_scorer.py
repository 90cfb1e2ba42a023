"""The accelerator path, uncaptured on the CPU: buckets, padding, buffers, and lack of memory."""

import logging

import pytest
import torch
from glasstape_server.domain.signals import Direction
from glasstape_server.explain.method import forward_and_gradient
from glasstape_server.explain.scores import PREDICTED_CLASS_SCORES, Score, ScoreSpec
from glasstape_server.models.networks.architectures import ARCHITECTURES
from glasstape_server.models.runtime.graph_program import GraphProgram
from glasstape_server.models.runtime.graphed_scorer import GraphedScorer

from tests.support.networks import attribute, make_scorer, rows_of

BUCKETS = (2, 8, 16)


def _windows(rows):
    return torch.randn(rows, 6, 8, generator=torch.Generator().manual_seed(rows))


def _close(actual, expected):
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize("score_spec", [*PREDICTED_CLASS_SCORES, ScoreSpec(target=Direction.DOWN)], ids=str)
def test_logits_and_gradients_equal_the_scorers_at_any_batch_size(name, score_spec):
    scorer = make_scorer(name)
    graphed = GraphedScorer(scorer, 6, 8, "cpu", PREDICTED_CLASS_SCORES, BUCKETS)
    for rows in (16, 1, 2, 7, 53):  # a large batch first: smaller ones must not see its rows in the buffers
        windows = _windows(rows)
        with torch.no_grad():
            _close(graphed(windows), scorer(windows))
        actual, expected = (
            forward_and_gradient(network, windows, score_spec) for network in (graphed, scorer)
        )
        assert torch.equal(actual[1].target, expected[1].target)
        assert (actual[1].foil is None) == (expected[1].foil is None)
        for index in (0, 2, 3):
            _close(actual[index], expected[index])


@pytest.mark.parametrize(
    "method", ["INTEGRATED_GRADIENTS", "SMOOTHGRAD", "OCCLUSION", "GRAD_CAM", "SHAPLEY_BARS"]
)
def test_methods_explain_a_graphed_scorer(method):
    scorer = make_scorer("conv1d")
    graphed = GraphedScorer(scorer, 6, 8, "cpu", PREDICTED_CLASS_SCORES, BUCKETS)
    actual, expected = (
        attribute(network, rows_of(_windows(5)), method, score=Score.LOG_PROBABILITY)
        for network in (graphed, scorer)
    )
    _close(actual.values, expected.values)


def test_results_are_not_overwritten_by_the_next_call():
    graphed = GraphedScorer(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS)
    first = graphed(_windows(5))
    kept = first.clone()
    graphed(_windows(6))
    assert torch.equal(first, kept)


@pytest.fixture
def limited():
    """A program class that runs out of memory beyond `captured` rows at capture and `running` rows at launch."""

    class LimitedProgram(GraphProgram):
        captured, running = 1000, 1000

        def __init__(self, function, examples, device):
            if len(examples[0]) > self.captured:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.size = len(examples[0])
            super().__init__(function, examples, device)

        def launch(self, arguments, results):
            if self.size > self.running:
                raise torch.OutOfMemoryError("CUDA out of memory")
            super().launch(arguments, results)

    return LimitedProgram


def test_buckets_that_do_not_fit_the_memory_are_left_out(limited, caplog):
    limited.captured = 8
    scorer = make_scorer("conv1d")
    with caplog.at_level(logging.WARNING):
        graphed = GraphedScorer(scorer, 6, 8, "cpu", (), BUCKETS, limited)
    assert graphed.buckets == (2, 8)
    assert "not enough memory for batches of 16 rows" in caplog.text
    with torch.no_grad():
        _close(graphed(_windows(50)), scorer(_windows(50)))


def test_the_largest_bucket_is_dropped_when_memory_runs_out(limited, caplog):
    scorer = make_scorer("conv1d")
    graphed = GraphedScorer(scorer, 6, 8, "cpu", PREDICTED_CLASS_SCORES, BUCKETS, limited)
    limited.running = 8
    with caplog.at_level(logging.WARNING), torch.no_grad():
        _close(graphed(_windows(50)), scorer(_windows(50)))
    assert graphed.buckets == (2, 8)
    assert "out of memory; batches now have at most 8 rows" in caplog.text


def test_a_call_is_retried_once(limited):
    graphed = GraphedScorer(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS, limited)
    limited.running = 1
    with pytest.raises(torch.OutOfMemoryError):
        graphed(_windows(50))
    limited.running = 2
    assert len(graphed(_windows(50))) == 50
    assert graphed.buckets == (2,)


def test_too_little_memory_for_the_smallest_bucket_is_an_error(limited):
    limited.captured = 1
    with pytest.raises(torch.OutOfMemoryError):
        GraphedScorer(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS, limited)


def test_a_score_that_was_not_captured_is_rejected():
    graphed = GraphedScorer(make_scorer("conv1d"), 6, 8, "cpu", (), BUCKETS)
    assert not graphed.has_head(ScoreSpec())
    with pytest.raises(KeyError):
        graphed.forward_and_gradient(_windows(1), ScoreSpec())
