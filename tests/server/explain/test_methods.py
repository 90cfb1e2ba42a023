"""Every method against an independent oracle: Captum, finite differences, or arithmetic."""

import captum.attr
import numpy as np
import pytest
import torch
from glasstape_server.domain import Direction
from glasstape_server.errors import InvalidArgument, Unimplemented
from glasstape_server.explain import catalogue
from glasstape_server.explain.drivers import drivers
from glasstape_server.explain.method import BaselineKind, MethodName, Quantity, Request
from glasstape_server.explain.scores import Question, Score
from glasstape_server.explain.verdict import Verdict, judge_fast


@pytest.fixture(scope="module")
def windows():
    return torch.from_numpy(np.random.default_rng(0).normal(size=(16, 6, 8)).astype(np.float32))


def run(bundled, windows, method, baseline=None, samples=0, **question):
    request = Request(MethodName[method], Question(**question), baseline, samples)
    return catalogue.explain(bundled, windows, request)


def winners(bundled, windows):
    with torch.no_grad():
        return bundled.scorer(windows).argmax(1)


def close(ours, theirs):
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), atol=1e-5, rtol=1e-5)


def test_gradient_of_the_winners_logit_is_the_original_and_captums_saliency(bundled, windows):
    ours = run(bundled, windows, "GRADIENT", score=Score.LOGIT)
    theirs = captum.attr.Saliency(bundled.scorer).attribute(
        windows.clone().requires_grad_(), target=winners(bundled, windows), abs=False
    )
    close(ours.values, theirs)


def test_gradient_x_input_is_captums(bundled, windows):
    ours = run(bundled, windows, "GRADIENT_X_INPUT", score=Score.LOGIT)
    theirs = captum.attr.InputXGradient(bundled.scorer).attribute(
        windows.clone().requires_grad_(), target=winners(bundled, windows)
    )
    close(ours.values, theirs)


@pytest.mark.parametrize("baseline", list(BaselineKind))
def test_integrated_gradients_are_captums(bundled, windows, baseline):
    ours = run(bundled, windows, "INTEGRATED_GRADIENTS", baseline, samples=32, score=Score.LOGIT)
    start = torch.zeros(6, 8) if baseline is BaselineKind.ZERO else bundled.statistics.mean.expand(6, 8)
    theirs = captum.attr.IntegratedGradients(bundled.scorer).attribute(
        windows, start.expand(16, 6, 8), target=winners(bundled, windows), n_steps=32
    )
    close(ours.values, theirs)


def test_occlusion_is_captums(bundled, windows):
    ours = run(bundled, windows, "OCCLUSION", BaselineKind.ZERO, score=Score.LOGIT)
    theirs = captum.attr.Occlusion(bundled.scorer).attribute(
        windows, sliding_window_shapes=(1, 1), baselines=0.0, target=winners(bundled, windows)
    )
    close(ours.values, theirs)


@pytest.mark.parametrize("score", list(Score))
def test_the_gradient_of_every_score_agrees_with_finite_differences(bundled, windows, score):
    rows = windows[:4]
    ours = run(bundled, rows, "GRADIENT", score=score)
    double = torch.nn.Module.double(type(bundled.scorer)(*_parts(bundled)))
    step = 1e-5
    for cell in ((0, 0), (5, 3), (2, 7)):
        moved = [rows.double().clone() for _ in range(2)]
        moved[0][:, cell[0], cell[1]] += step
        moved[1][:, cell[0], cell[1]] -= step
        with torch.no_grad():
            up, down = (_score(ours.frozen, double(x)) for x in moved)
        np.testing.assert_allclose(
            ours.values[:, cell[0], cell[1]].numpy(), ((up - down) / (2 * step)).numpy(), rtol=1e-2, atol=1e-5
        )


def _parts(bundled):
    import copy

    return copy.deepcopy(bundled.scorer.network), bundled.scorer.mean, bundled.scorer.deviation


def _score(frozen, logits):
    logits = torch.log_softmax(logits, 1) if frozen.log_probability else logits
    return (logits * frozen.weights.double()).sum(1)


def test_the_map_belongs_to_the_forward_pass_that_predicts(bundled, windows):
    with torch.no_grad():
        logits = bundled.scorer(windows)
    for name in catalogue.METHODS:
        made = run(bundled, windows, name.name)
        np.testing.assert_allclose(made.logits.numpy(), logits.numpy(), atol=1e-6)


def test_margin_is_winner_minus_runner_up_and_both_are_frozen(bundled, windows):
    made = run(bundled, windows, "INTEGRATED_GRADIENTS")
    top = made.logits.topk(2, dim=1)
    assert torch.equal(made.frozen.target, top.indices[:, 0])
    assert torch.equal(made.frozen.foil, top.indices[:, 1])
    np.testing.assert_allclose(made.score, (top.values[:, 0] - top.values[:, 1]), atol=1e-6)


def test_margins_ignore_a_shift_of_all_logits_and_single_logits_do_not(bundled, windows):
    class Shifted(torch.nn.Module):
        def forward(self, x):
            return bundled.scorer(x) + 5 * torch.tanh(3 * x[:, :1, 0])

    method = catalogue.method(MethodName.GRADIENT)
    nothing = torch.zeros(6, 8)
    for score, equal in ((Score.MARGIN, True), (Score.LOG_PROBABILITY, True), (Score.LOGIT, False)):
        request = Request(MethodName.GRADIENT, Question(score))
        plain = method.attribute(bundled.scorer, windows, nothing, request).values
        shifted = method.attribute(Shifted(), windows, nothing, request).values
        assert torch.allclose(plain, shifted, atol=1e-5) is equal


def test_target_and_foil_can_be_asked_for(bundled, windows):
    made = run(bundled, windows, "GRADIENT", target=Direction.UP, foil=Direction.DOWN)
    fixed = run(bundled, windows, "GRADIENT", score=Score.UP_MINUS_DOWN)
    np.testing.assert_array_equal(made.values, fixed.values)
    foil = run(bundled, windows, "GRADIENT", foil=Direction.FLAT)
    assert (foil.frozen.target != int(Direction.FLAT)).all()


def test_questions_without_sense_are_refused():
    for question in (
        {"score": Score.LOGIT, "foil": Direction.UP},
        {"score": Score.UP_MINUS_DOWN, "target": Direction.UP},
        {"target": Direction.UP, "foil": Direction.UP},
    ):
        with pytest.raises(InvalidArgument):
            Question(**question)


def test_integrated_gradients_double_their_steps_until_complete(bundled, windows):
    made = run(bundled, windows * 3, "INTEGRATED_GRADIENTS")
    limit = 0.01 * (made.score - made.baseline_score).abs().clamp_min(0.05)
    assert ((made.completeness_error <= limit) | (made.samples == 512)).all()
    coarse = run(bundled, windows * 3, "INTEGRATED_GRADIENTS", samples=2)
    assert (coarse.samples == 2).all()
    assert coarse.completeness_error.mean() > made.completeness_error.mean()
    np.testing.assert_allclose(
        made.completeness_error,
        (made.values.sum((1, 2)) - (made.score - made.baseline_score)).abs(),
        atol=1e-5,
    )


def test_a_row_is_explained_the_same_alone_and_in_a_batch(bundled, windows):
    for name in catalogue.METHODS:
        whole = run(bundled, windows, name.name).values
        alone = torch.cat([run(bundled, windows[i : i + 1], name.name).values for i in range(16)])
        np.testing.assert_allclose(whole.numpy(), alone.numpy(), atol=1e-5)


def test_explaining_leaves_no_trace_on_the_model(bundled, windows):
    for name in catalogue.METHODS:
        run(bundled, windows, name.name)
    assert all(p.grad is None and not p.requires_grad for p in bundled.scorer.parameters())
    assert not any(m._forward_hooks or m._backward_hooks for m in bundled.scorer.modules())


def test_methods_that_are_not_there_are_named_with_those_that_are():
    with pytest.raises(Unimplemented, match="METHOD_GRADIENT, METHOD_GRADIENT_X_INPUT"):
        catalogue.method(MethodName.GRAD_CAM)


def test_a_flat_or_broken_map_is_called_degenerate():
    for values in (np.zeros((6, 8)), np.full((6, 8), np.nan), np.full((6, 8), 1e-9)):
        assert judge_fast(values.astype("f4"), Quantity.SENSITIVITY, None, None).verdict is Verdict.DEGENERATE
    fine = judge_fast(np.ones((6, 8), "f4"), Quantity.CONTRIBUTION, 1.0, 0.001)
    assert fine.verdict is Verdict.CAUTION
    incomplete = judge_fast(np.ones((6, 8), "f4"), Quantity.CONTRIBUTION, 1.0, 0.5)
    assert "completeness" in incomplete.reasons[0]


def test_drivers_are_the_strongest_cells_and_share_only_what_adds_up():
    values = np.zeros((6, 8), "f4")
    values[5, 2], values[0, 7], values[3, 3] = -3, 2, 1
    window = np.full((6, 8), 2.0, "f4")
    mean, deviation = np.ones(8, "f4"), np.full(8, 0.5, "f4")
    found = drivers(window, values, mean, deviation, Quantity.CONTRIBUTION, 2)
    assert [(d.time_index, d.feature_index, d.attribution) for d in found] == [(5, 2, -3.0), (0, 7, 2.0)]
    assert [d.share for d in found] == [0.5, pytest.approx(1 / 3)]
    assert found[0].z_score == 2.0
    assert drivers(window, values, mean, deviation, Quantity.SENSITIVITY, 1)[0].share is None
    assert drivers(window, np.zeros((6, 8), "f4"), mean, deviation, Quantity.SENSITIVITY) == []
