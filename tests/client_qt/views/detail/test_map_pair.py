"""Importance and contributions beside each other, with the trust in each."""

from dataclasses import replace

import numpy as np
import pytest
from glasstape import Heatmap, Method, PreconditionError, Quantity, Trust, TrustLevel
from glasstape_qt.i18n import set_language
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.views.detail.detail_view import DetailView
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_view import HeatmapView
from glasstape_qt.views.detail.map_pair import MapPair

TRUST = Trust(value=0.82, level=TrustLevel.HIGH, average_precision=0.811, maps=1234)
WIDE, NARROW = 700, 380


def content_of(context, method, trust=None):
    maps = context.session.explanations[context.newest().sequence]
    explanation = next(item for item in maps if item.method is method)
    explanation = replace(explanation, quality=replace(explanation.quality, trust=trust))
    return HeatmapContent(explanation, context.model(), full_value=explanation.heatmap.full_color)


@pytest.fixture
def contents(context):
    methods = (Method.SCALED_PATH_GRADIENT, Method.INTEGRATED_GRADIENTS)
    return [content_of(context, method, TRUST) for method in methods]


@pytest.fixture
def pair(context, qtbot):
    pair = MapPair(context.appearance)
    qtbot.addWidget(pair)
    pair.resize(WIDE, 400)
    pair.show()
    return pair


def rows_of(pane):
    """Top of each row in window coordinates."""
    view = pane.view
    features = view.content.explanation.heatmap.values.shape[1]
    return [view.mapTo(view.window(), view.cell_rect(0, n).center().toPoint()).y() for n in range(features)]


def test_each_map_is_named_for_what_it_is(pair, contents):
    pair.show_maps(*contents)
    first, second = pair.panes
    assert first.title.text().startswith(
        "Importance: what the score depends on. Green: an increase supports "
    )
    assert second.title.text().startswith("Contributions: add up to the score difference. Green: for ")
    assert first.view.accessibleName() == first.title.text()
    set_language("ko")
    pair.show_maps(*contents)
    assert first.title.text().startswith("중요도: ")
    assert second.title.text().startswith("기여도: ")
    set_language("en")


def test_two_maps_are_side_by_side_with_aligned_rows_that_are_named_once(pair, contents, qtbot):
    pair.show_maps(contents[0], replace(contents[1], explanation=untrusted(contents[1].explanation)))
    qtbot.wait(10)
    assert pair.side_by_side
    first, second = pair.panes
    assert first.geometry().right() < second.geometry().left()
    assert rows_of(first) == rows_of(second)
    widths = [pane.view.cell_rect(0, 0).width() for pane in pair.panes]
    assert widths[0] == pytest.approx(widths[1], abs=3)
    assert first.view.cell_rect(0, 0).left() > 5 * second.view.cell_rect(0, 0).left()


def untrusted(explanation):
    return replace(explanation, quality=replace(explanation.quality, trust=None))


def test_where_it_is_narrow_the_maps_are_stacked_and_scrolled_down(pair, contents, qtbot):
    pair.show_maps(*contents)
    pair.resize(NARROW, 400)
    qtbot.wait(10)
    assert not pair.side_by_side
    first, second = pair.panes
    assert first.geometry().bottom() < second.geometry().top()
    assert pair.widget().width() <= pair.viewport().width()
    assert pair.widget().height() > pair.viewport().height()
    pair.resize(WIDE, 400)
    qtbot.wait(10)
    assert pair.side_by_side
    assert pair.widget().height() == pair.viewport().height()


def test_one_map_has_the_whole_width(pair, contents, qtbot):
    pair.show_maps(*contents)
    pair.show_maps(contents[1])
    qtbot.wait(10)
    assert pair.panes[1].isHidden()
    assert pair.panes[0].width() > 0.9 * pair.viewport().width()


def test_trust_is_a_number_a_word_and_a_bar_that_say_what_it_was_worth(pair, contents):
    pair.show_maps(*contents)
    line = pair.panes[0].trust
    assert line.isVisible()
    assert line.label.text() == "Trust 0.82: high"
    assert line.bar.value == pytest.approx(0.82)
    for text in (line.toolTip(), line.bar.toolTip(), line.accessibleDescription()):
        assert "maps like this one marked the true cells with AUPRC .81 on average (1,234 maps)" in text
        assert "true to the model, not to the market" in text
    assert line.accessibleName() == "Trust 0.82: high"


def test_a_map_without_trust_has_no_line_about_it(pair, context):
    pair.show_maps(content_of(context, Method.SCALED_PATH_GRADIENT))
    assert not pair.panes[0].trust.isVisible()


def test_rows_stay_in_place_when_the_trust_arrives(pair, contents, qtbot):
    pair.show_maps(*(replace(content, explanation=untrusted(content.explanation)) for content in contents))
    qtbot.wait(10)
    before = [rows_of(pane) for pane in pair.panes]
    assert not pair.panes[0].trust.isVisible()
    pair.show_maps(*contents)
    qtbot.wait(10)
    assert pair.panes[0].trust.isVisible()
    assert [rows_of(pane) for pane in pair.panes] == before


def test_a_hovered_bar_is_marked_in_the_other_map(pair, contents, qtbot):
    pair.show_maps(*contents)
    qtbot.wait(10)
    hovered = []
    pair.hovered.connect(hovered.append)
    first, second = (pane.view for pane in pair.panes)
    qtbot.mouseMove(second, second.cell_rect(2, 3).center().toPoint())
    assert first.highlighted_bar == 2
    assert hovered == [2]


@pytest.fixture
def open_view(context, qtbot):
    def open_with(preferences):
        newest = context.newest().symbol
        view = DetailView(newest, context.store, context.link, context.appearance, preferences)
        qtbot.addWidget(view)
        view.resize(WIDE, 900)
        view.show()
        return view

    return open_with


def test_words_are_those_of_the_map_that_adds_up(open_view, context):
    view = open_view(context.preferences)
    assert "of all weight" in view.text_view.toPlainText()
    view.method.setCurrentIndex(view.method.findData("scaled_path_gradient"))
    assert view.maps.panes[1].isHidden()
    assert "an increase counts" in view.text_view.toPlainText()
    assert "of all weight" not in view.text_view.toPlainText()


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient"])
def test_a_stored_method_is_shown_alone(open_view, method):
    view = open_view(Preferences(language="en", theme="light", method=method, score="margin"))
    assert view.method.currentData() == method
    assert view.heatmap_view.content.explanation.method.value == method
    assert view.maps.panes[1].isHidden()


def test_where_one_method_is_not_served_its_pane_says_why(open_view, context, monkeypatch):
    explain = type(context.link.client).explain

    def without_importance(self, *, signals, method, **options):
        if method == "scaled_path_gradient":
            raise PreconditionError("METHOD_SCALED_PATH_GRADIENT was not recorded")
        return explain(self, signals=signals, method=method, **options)

    monkeypatch.setattr(type(context.link.client), "explain", without_importance)
    view = open_view(context.preferences)
    first, second = (pane.view for pane in view.maps.panes)
    assert first.content is None
    assert "METHOD_SCALED_PATH_GRADIENT was not recorded" in first.message
    assert second.content.explanation.method is Method.INTEGRATED_GRADIENTS
    assert "of all weight" in view.text_view.toPlainText()


def test_a_model_that_serves_one_of_the_two_methods_has_one_map(open_view, context):
    methods = (Method.GRADIENT, Method.INTEGRATED_GRADIENTS)
    context.store.describe([replace(context.model(), methods=methods)], [])
    view = open_view(context.preferences)
    assert view.heatmap_view.content.explanation.method is Method.INTEGRATED_GRADIENTS
    assert view.maps.panes[1].isHidden()


def test_a_cell_is_described_in_comparable_units_and_as_it_was_sent(context, qtbot):
    content = content_of(context, Method.GRADIENT)
    scale = np.full(8, 0.5, np.float32)
    values = np.full((6, 8), 3.0, np.float32)
    heatmap = Heatmap(
        values=values,
        quantity=Quantity.SENSITIVITY,
        native_shape=(6, 8),
        upsampled=False,
        feature_scale=scale,
    )
    view = HeatmapView(context.appearance)
    qtbot.addWidget(view)
    view.show_content(replace(content, explanation=replace(content.explanation, heatmap=heatmap)))
    description = view.cell_description(1, 2)
    assert "sensitivity per standard deviation: +1.5000" in description
    assert "per unit of the feature: +3" in description
