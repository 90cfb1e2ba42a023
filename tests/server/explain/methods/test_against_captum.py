"""Comparison with Captum 0.9, for every method it has, on every network, with the same score."""

import captum.attr
import numpy as np
import pytest
import torch
from glasstape_server.explain.methods import smoothgrad
from glasstape_server.explain.scores import Score
from networks import attribute, rows_of


class Scored(torch.nn.Module):
    """Frozen score of each row as a function of windows that repeat each row successively."""

    def __init__(self, scorer, frozen):
        super().__init__()
        self.scorer, self.frozen = scorer, frozen

    def forward(self, x):
        return self.frozen.of(self.scorer(x), len(x) // len(self.frozen.target))


class Repeated(Scored):
    """Frozen score of each row as a function of windows that repeat the whole batch, as Captum does."""

    def forward(self, x):
        copies = len(x) // len(self.frozen.target)
        order = torch.arange(len(self.frozen.target)).repeat(copies)
        return self.frozen.rows(order).of(self.scorer(x))


def close(actual, expected):
    np.testing.assert_allclose(actual.numpy(), expected.detach().numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("score", list(Score))
def test_gradient(scorer, windows, score):
    ours = attribute(scorer, rows_of(windows), "GRADIENT", score=score)
    saliency = captum.attr.Saliency(Scored(scorer, ours.frozen))
    close(ours.values, saliency.attribute(windows.clone().requires_grad_(), abs=False))


def test_gradient_of_the_logit_is_saliency_of_the_predicted_class(scorer, windows):
    ours = attribute(scorer, rows_of(windows), "GRADIENT", score=Score.LOGIT)
    theirs = captum.attr.Saliency(scorer).attribute(
        windows.clone().requires_grad_(), target=scorer(windows).argmax(1), abs=False
    )
    close(ours.values, theirs)


@pytest.mark.parametrize("score", [Score.MARGIN, Score.LOG_PROBABILITY])
def test_gradient_x_input(scorer, windows, score):
    ours = attribute(scorer, rows_of(windows), "GRADIENT_X_INPUT", score=score)
    theirs = captum.attr.InputXGradient(Scored(scorer, ours.frozen))
    close(ours.values, theirs.attribute(windows.clone().requires_grad_()))


@pytest.mark.parametrize("score", [Score.MARGIN, Score.LOGIT, Score.LOG_PROBABILITY])
def test_integrated_gradients_with_the_same_nodes(scorer, windows, score):
    baseline = windows.flip(0)
    ours = attribute(scorer, rows_of(windows, baseline), "INTEGRATED_GRADIENTS", samples=16, score=score)
    theirs = captum.attr.IntegratedGradients(Repeated(scorer, ours.frozen))
    close(ours.values, theirs.attribute(windows, baseline, n_steps=16, method="gausslegendre"))


def test_occlusion(scorer, windows):
    baseline = windows.flip(0)
    ours = attribute(scorer, rows_of(windows, baseline), "OCCLUSION")
    theirs = captum.attr.Occlusion(Repeated(scorer, ours.frozen))
    close(ours.values, theirs.attribute(windows, sliding_window_shapes=(1, 1), baselines=baseline))


def test_smoothgrad_with_the_same_noise(scorer, windows, monkeypatch):
    rows = rows_of(windows)
    ours = attribute(scorer, rows, "SMOOTHGRAD", samples=4, seed=3)
    noise = torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(3))
    noise = noise * smoothgrad.NOISE * rows.deviation
    # NoiseTunnel draws with torch.normal and has no parameter for the noise; it repeats each row successively.
    repeated = noise.repeat(len(windows), 1, 1)
    monkeypatch.setattr(torch, "normal", lambda *_, **__: repeated)
    tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(Scored(scorer, ours.frozen)))
    close(ours.values, tunnel.attribute(windows, nt_samples=4, nt_type="smoothgrad", abs=False))


def test_grad_cam_of_the_same_layer_with_the_same_interpolation(windows):
    from networks import make_scorer

    for name in ("conv1d", "conv2d", "xcm"):
        scorer = make_scorer(name)

        class Tapped(torch.nn.Module):
            """Network with a layer between convolution and head that Captum can hook."""

            def __init__(self, scorer):
                super().__init__()
                self.scorer, self.tap = scorer, torch.nn.Identity()

            def forward(self, x):
                return self.scorer.classify(self.tap(self.scorer.convolve(x)))

        tapped = Tapped(scorer)
        ours = attribute(scorer, rows_of(windows), "GRAD_CAM", score=Score.LOGIT)
        cam = captum.attr.LayerGradCam(tapped, tapped.tap)
        x = windows.clone().requires_grad_()  # Captum's hook requires a graph
        theirs = cam.attribute(x, target=scorer(windows).argmax(1), relu_attributions=True)
        close(ours.values, captum.attr.LayerAttribution.interpolate(theirs, (6, 8))[:, 0])
