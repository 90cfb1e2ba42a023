"""Preferences of the chart: scale, bars in view, studies, and the lines and notes of each symbol."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

OVERLAYS = ("ma5", "ma20", "ma60", "ma120", "ema20", "vwap", "bollinger")
"""Studies over the candles."""
PANES = ("volume", "volume_average", "rsi", "macd")
"""Studies below the candles; `volume_average` is drawn over `volume`."""
FEATURE_PREFIX = "feature:"
"""Begins the name of a study that shows a feature of the model."""
BAR_COUNTS = (60, 120, 250, 500)
"""Numbers of bars in view that can be selected."""


class ChartMark(BaseModel):
    """A horizontal line, or a note at a bar."""

    model_config = ConfigDict(frozen=True)

    price: float
    time: datetime | None = None
    """Close of the bar that a note is at; None: a horizontal line."""
    text: Annotated[str, Field(max_length=200)] = ""


class ChartPreferences(BaseModel):
    """What is stored of the chart between runs."""

    model_config = ConfigDict(validate_assignment=True)

    scale: Literal["linear", "log", "percent"] = "linear"
    bars: Annotated[int, Field(ge=10, le=5000)] = 120
    """Bars in view when a chart opens."""
    studies: list[str] = Field(default_factory=lambda: ["ma20", "ma60", "volume"])
    """Names of `OVERLAYS` and `PANES`, and features after `FEATURE_PREFIX`."""
    marks: dict[str, list[ChartMark]] = Field(default_factory=dict)
    """By symbol."""
