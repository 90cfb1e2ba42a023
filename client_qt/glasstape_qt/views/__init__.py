"""Widgets over the plain state. Several run alone, e.g. `python -m glasstape_qt.views.detail.heatmap_view`."""
