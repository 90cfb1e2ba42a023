import pytest
import torch
from glasstape_server.training.rank_correlation import spearman


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),
        ([1, 2, 2, 3], [1, 3, 2, 4], 0.948683),  # ties share their mean rank
        ([1, 1, 1, 1], [1, 2, 3, 4], 0.0),
    ],
)
def test_spearman_is_the_correlation_of_mean_ranks(left, right, expected):
    rows = (torch.tensor([values], dtype=torch.float32) for values in (left, right))
    assert float(spearman(*rows)) == pytest.approx(expected, abs=1e-5)
