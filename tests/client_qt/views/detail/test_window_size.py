"""A detail of a model whose window is not the default one: 12 bars × 5 features."""

import pytest
from glasstape_qt.views.detail.detail_view import DetailView
from glasstape_qt.views.trust.model_card import model_card_html

STEPS, FEATURES = 12, 5


@pytest.fixture
def view(resize_model, qtbot):
    context, _ = resize_model(STEPS, FEATURES)
    view = DetailView(
        context.newest().symbol, context.store, context.link, context.appearance, context.preferences
    )
    qtbot.addWidget(view)
    view.resize(700, 900)
    view.show()
    return view


def test_the_map_and_its_candles_have_the_models_size(view):
    content = view.heatmap_view.content
    assert content.explanation.heatmap.values.shape == (STEPS, FEATURES)
    assert list(content.bars) == view.detail.bars[-STEPS:]
    assert [bar.close_time for bar in content.bars] == list(content.explanation.bar_close_times)


def test_the_chart_marks_twelve_bars_and_is_linked_with_the_map(view, qtbot):
    count = len(view.detail.bars)
    assert view.chart.input_window == (count - STEPS, count - 1)
    qtbot.mouseMove(view.heatmap_view, view.heatmap_view.cell_rect(0, FEATURES - 1).center().toPoint())
    assert view.chart.highlighted_bar == count - STEPS
    view.chart.hovered.emit(count - STEPS)
    assert view.heatmap_view.highlighted_bar == 0


def test_tooltips_and_text_use_the_models_features(view):
    content = view.heatmap_view.content
    for bar in range(STEPS):
        for feature in range(FEATURES):
            value = float(content.explanation.heatmap.values[bar, feature])
            description = view.heatmap_view.cell_description(bar, feature)
            assert description.startswith(f"custom_{feature} · ")
            assert f"contribution: {value:+.4f}" in description
    assert "custom_4" in view.text_view.toPlainText()


def test_the_model_card_has_the_models_size(view):
    assert "12 bars × 5 features" in model_card_html(view.heatmap_view.content.model)


def test_the_comparison_has_the_models_size(view):
    view.compare()
    shown = [
        child for child in view.comparison.findChildren(type(view.heatmap_view)) if child.content is not None
    ]
    assert [child.content.explanation.heatmap.values.shape for child in shown] == [(STEPS, FEATURES)]
