"""Details on the bundled session, and explanations of models of any window size."""

from dataclasses import replace

import numpy as np
import pytest
from glasstape import Driver, Heatmap, Method, Quantity
from glasstape_qt.preview import SessionLink
from glasstape_qt.views.detail.detail_view import DetailView


@pytest.fixture
def view(context, qtbot):
    view = DetailView(
        context.newest().symbol, context.store, context.link, context.appearance, context.preferences
    )
    qtbot.addWidget(view)
    view.resize(700, 900)
    view.show()
    return view


@pytest.fixture
def resize_model(context):
    """Replaces the session's model by one of another window size, with an explanation of its newest signal."""

    def resize(time_steps, features):
        first = context.model().features[0]
        specs = tuple(
            replace(first, name=f"custom_{n}", description="", mean=0.0, standard_deviation=1.0)
            for n in range(features)
        )
        methods = (Method.INTEGRATED_GRADIENTS,)
        model = replace(context.model(), features=specs, time_steps=time_steps, methods=methods)
        context.store.describe([model], [])
        event = context.newest()
        events = list(context.link.client.history())
        bars = context.link.client.bars(event.symbol, event.interval, end=event.bar_close_time)
        values = np.linspace(-1, 1, time_steps * features, dtype=np.float32).reshape(time_steps, features)
        recorded = context.session.explanations[event.sequence]
        explanation = replace(
            next(item for item in recorded if item.method is Method.INTEGRATED_GRADIENTS),
            heatmap=Heatmap(
                values=values, quantity=Quantity.CONTRIBUTION, native_shape=(time_steps, features), upsampled=False
            ),
            window=values,
            bar_close_times=tuple(bar.close_time for bar in bars[-time_steps:]),
            drivers=(
                Driver(
                    feature=specs[-1].name, feature_index=features - 1, time_index=time_steps - 1, span=(1, 1),
                    value=1.0, z_score=2.0, attribution=0.5, share=0.5,
                    bar_close_time=event.bar_close_time,
                ),
            ),
        )  # fmt: skip
        session = replace(context.session, models=(model,), explanations={event.sequence: (explanation,)})
        return replace(
            context, session=session, link=SessionLink(context.store, session, events)
        ), explanation

    return resize
