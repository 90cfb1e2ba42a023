from dataclasses import replace

import numpy as np
import pytest
from glasstape import Heatmap, Method, Quantity
from glasstape_qt.i18n import tr
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_view import HeatmapView
from PyQt6.QtCore import Qt

CORNER = 3
"""Pixels from a cell's corner to a place without text."""


@pytest.fixture
def heatmap(context, qtbot):
    view = HeatmapView(context.appearance)
    qtbot.addWidget(view)
    view.resize(600, 400)
    return view


def content_of(context, method):
    maps = context.session.explanations[context.newest().sequence]
    explanation = next(item for item in maps if item.method is method)
    return HeatmapContent(explanation, context.model(), full_value=explanation.heatmap.full_color)


def painted(view):
    """Color of each cell, by bar and feature."""
    image = view.grab().toImage()
    bars, features = view.content.explanation.heatmap.values.shape
    colors = {}
    for bar in range(bars):
        for feature in range(features):
            corner = view.cell_rect(bar, feature).topLeft().toPoint()
            colors[bar, feature] = image.pixelColor(corner.x() + CORNER, corner.y() + CORNER).name()
    return colors


def test_a_tooltip_has_value_z_score_and_contribution(heatmap, context):
    content = content_of(context, Method.INTEGRATED_GRADIENTS)
    heatmap.show_content(content)
    explanation, feature = content.explanation, context.model().features[4]
    value = float(explanation.window[5, 4])
    z = (value - feature.mean) / feature.standard_deviation
    description = heatmap.cell_description(5, 4)
    assert description.startswith("volume · ")
    assert f"{value:.4g}" in description
    assert f"{z:+.2f} σ" in description
    assert f"contribution: {float(explanation.heatmap.values[5, 4]):+.4f}" in description


def test_a_coarse_map_is_painted_in_its_own_blocks_and_an_unsigned_one_in_one_color(heatmap, context):
    steps, features = context.model().time_steps, len(context.model().features)
    heatmap.show_content(content_of(context, Method.SHAPLEY_BARS))
    colors = painted(heatmap)
    assert all(len({colors[bar, feature] for feature in range(features)}) == 1 for bar in range(steps))
    assert len({colors[bar, 0] for bar in range(steps)}) > 1
    content = content_of(context, Method.GRAD_CAM)
    assert content.explanation.heatmap.quantity is Quantity.RELEVANCE
    heatmap.show_content(content)
    strongest = int(content.explanation.heatmap.values[:, 0].argmax())
    assert painted(heatmap)[strongest, 0] == context.appearance.colors.cell(1.0, signed=False).name()


def test_a_map_of_another_size_clears_the_hovered_cell(heatmap, context, qtbot):
    content = content_of(context, Method.INTEGRATED_GRADIENTS)
    heatmap.show_content(content)
    heatmap.show()
    qtbot.mouseMove(heatmap, heatmap.cell_rect(5, 7).center().toPoint())
    assert heatmap.current_cell == (5, 7)
    small = Heatmap(
        values=np.ones((3, 3), np.float32),
        quantity=Quantity.CONTRIBUTION,
        native_shape=(3, 3),
        upsampled=False,
    )
    explanation = replace(content.explanation, heatmap=small, window=None, bar_close_times=())
    model = replace(context.model(), features=context.model().features[:3], time_steps=3)
    heatmap.show_content(HeatmapContent(explanation, model))
    assert heatmap.current_cell is None
    assert heatmap.accessibleDescription() == tr("heatmap.help")
    assert heatmap.cell_description(2, 2)


@pytest.mark.parametrize("shape", [(12, 5), (3, 20), (60, 2), (64, 19)])
def test_the_size_of_the_map_is_that_of_the_model(heatmap, context, qtbot, resize_model, shape):
    bars, features = shape
    _, explanation = resize_model(bars, features)
    content = HeatmapContent(explanation, context.model(), full_value=1.0)
    heatmap.show_content(content)
    heatmap.show()
    colors, cell_colors = painted(heatmap), context.appearance.colors
    assert len(colors) == bars * features
    if heatmap.cell_rect(0, 0).width() > 2 * CORNER:
        for (bar, feature), color in colors.items():
            assert color == cell_colors.cell(float(explanation.heatmap.values[bar, feature])).name()
    for bar, feature in ((0, 0), (bars - 1, 0), (0, features - 1), (bars - 1, features - 1)):
        qtbot.mouseMove(heatmap, heatmap.cell_rect(bar, feature).center().toPoint())
        assert heatmap.current_cell == (bar, feature)
        assert heatmap.accessibleDescription().startswith(f"custom_{feature} · ")
    for key, count in ((Qt.Key.Key_Left, bars), (Qt.Key.Key_Up, features)):
        for _ in range(count + 1):
            qtbot.keyClick(heatmap, key)
    assert heatmap.current_cell == (0, 0)
    assert heatmap.sizeHint().width() <= 900
    assert heatmap.sizeHint().height() <= 700


def test_the_preferred_size_grows_with_the_map(heatmap, context, resize_model):
    sizes = []
    for shape in ((3, 3), (6, 8), (12, 10)):
        _, explanation = resize_model(*shape)
        heatmap.show_content(HeatmapContent(explanation, context.model()))
        sizes.append(heatmap.sizeHint())
    assert [size.width() for size in sizes] == sorted({size.width() for size in sizes})
    assert [size.height() for size in sizes] == sorted({size.height() for size in sizes})
