import itertools

import pytest
from glasstape_qt.views.detail.heatmap_grid import LABEL_GAP, HeatmapGrid
from PyQt6.QtCore import QPointF, QRectF

AREA = QRectF(100, 50, 400, 200)


@pytest.mark.parametrize(("bars", "features"), [(6, 8), (12, 5), (1, 1), (60, 30)])
def test_the_cells_fill_the_area_and_are_found_by_their_points(bars, features):
    grid = HeatmapGrid(AREA, bars, features)
    assert grid.cell(0, 0).topLeft() == AREA.topLeft()
    assert grid.cell(bars - 1, features - 1).bottomRight() == AREA.bottomRight() - QPointF(1, 1)
    for bar in range(bars):
        for feature in range(features):
            point = grid.cell(bar, feature).center()
            assert grid.cell_at(point, top=AREA.top()) == (bar, feature)


def test_points_outside_have_no_cell_and_the_candles_belong_to_the_first_row():
    grid = HeatmapGrid(AREA, 12, 5)
    assert grid.cell_at(QPointF(99, 60), top=50) is None
    assert grid.cell_at(QPointF(500, 60), top=50) is None
    assert grid.cell_at(QPointF(110, 20), top=50) is None
    assert grid.cell_at(QPointF(110, 20), top=0) == (0, 0)


@pytest.mark.parametrize(("bars", "width", "labels"), [(6, 40, 6), (12, 40, 6), (60, 80, 5), (2, 40, 2)])
def test_labels_of_bars_never_overlap_and_include_the_newest(bars, width, labels):
    boxes = HeatmapGrid(AREA, bars, 5).bar_labels(width, 15)
    assert boxes[0][0] == bars - 1
    assert len(boxes) == labels
    for (_, right), (_, left) in itertools.pairwise(boxes):
        assert left.right() <= right.left() + 1e-6
    for _, box in boxes:
        assert box.width() >= width
        assert box.right() <= AREA.right()


@pytest.mark.parametrize(("features", "labels"), [(8, 8), (5, 5), (40, 14)])
def test_labels_of_features_stand_beside_their_rows_and_never_overlap(features, labels):
    grid = HeatmapGrid(AREA, 6, features)
    boxes = grid.feature_labels(12)
    assert len(boxes) == labels
    for feature, box in boxes:
        assert box.top() == grid.cell(0, feature).top()
        assert box.right() == AREA.left() - LABEL_GAP
    tops = [box.top() for _, box in boxes]
    assert all(lower - upper >= 12 for upper, lower in itertools.pairwise(tops))
