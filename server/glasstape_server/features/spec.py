"""Which eight features a window has, in which order and with which parameters."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

DESCRIPTIONS: dict[str, str] = {
    "open_return": "ln(open / previous close) / volatility",
    "high_return": "ln(high / previous close) / volatility",
    "low_return": "ln(low / previous close) / volatility",
    "close_return": "ln(close / previous close) / volatility",
    "relative_volume": "ln((volume + 1) / (mean volume of the {volume_bars} bars before + 1))",
    "average_distance": "ln(close / {average_bars}-bar moving average) / (volatility x sqrt({average_bars}))",
    "rsi": "Cutler's relative strength index over {rsi_bars} bars, scaled to -1 .. 1",
    "macd_histogram": "MACD({macd_fast}, {macd_slow}, {macd_signal}) histogram of ln(close) / volatility",
}
"""Name and formula of each feature, in the window's order. Volatility is the root mean square log
return of the bars before this one, so that a shock does not shrink itself."""

LONGEST = 1000
"""Bars that any parameter may count."""


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """Parameters of the features. Two specs with equal hashes compute equal features.

    Every feature looks back over a fixed number of bars (averages are cut off and renormalised, the
    RSI is Cutler's and not Wilder's), so that a value never depends on where history begins.
    """

    window_bars: int = 6
    """Bars in a window."""
    volatility_bars: int = 20
    """Returns in the trailing volatility."""
    volume_bars: int = 20
    """Bars in the mean volume."""
    average_bars: int = 20
    """Bars in the moving average."""
    rsi_bars: int = 14
    """Returns in the RSI."""
    macd_fast: int = 12
    """Span of the fast average, in bars."""
    macd_slow: int = 26
    """Span of the slow average, in bars."""
    macd_signal: int = 9
    """Span of the signal average, in bars."""
    volatility_floor: float = 1e-5
    """Least volatility that is divided by, as log return."""
    clip: float = 10.0
    """Largest absolute value of a feature."""
    session_gap: Literal["split", "span"] = "span"
    """split: windows, labels and previous closes stay within one trading day; span: they do not."""

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the window's order."""
        return tuple(DESCRIPTIONS)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Formula of each feature with this spec's parameters."""
        return tuple(text.format(**asdict(self)) for text in DESCRIPTIONS.values())

    @property
    def look_back(self) -> int:
        """Bars that one feature row needs, its own included."""
        macd = 2 * self.macd_slow + 2 * self.macd_signal - 1
        returns = max(self.volatility_bars + 2, self.rsi_bars + 1)
        return max(macd, returns, self.volume_bars + 1, self.average_bars)

    @property
    def min_bars(self) -> int:
        """Bars that one window needs."""
        return self.look_back + self.window_bars - 1

    @property
    def hash(self) -> str:
        """SHA-256 of the spec, 64 hex digits."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The spec as JSON values, with the feature names."""
        return {**asdict(self), "features": list(self.names)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FeatureSpec":
        """The inverse of `to_dict`.

        Raises:
            ValueError: the features or parameters are not the ones this code computes.
        """
        values = dict(values)
        features = values.pop("features", None)
        if features != list(DESCRIPTIONS):
            raise ValueError(f"feature_spec.features: must be {list(DESCRIPTIONS)}, is {features}")
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"feature_spec: unknown parameters {sorted(unknown)}")
        for name, value in values.items():
            if name == "session_gap":
                if value not in ("split", "span"):
                    raise ValueError(f"feature_spec.{name}: must be split or span, is {str(value)[:20]!r}")
                continue
            whole = isinstance(cls.__dataclass_fields__[name].default, int)
            least, most = (1, LONGEST) if whole else (1e-12, 1e6)
            fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            if not fits or not least <= value <= most:
                kind = "a whole number, " if whole else ""
                raise ValueError(
                    f"feature_spec.{name}: must be {kind}{least:g}-{most:g}, is {str(value)[:20]}"
                )
        return cls(**values)
