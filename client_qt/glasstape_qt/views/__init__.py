"""Widgets: views of the plain state. Each runs alone: `python -m glasstape_qt.views.heatmap`."""
