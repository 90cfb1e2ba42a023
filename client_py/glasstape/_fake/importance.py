"""A made-up importance for fake servers."""

from datetime import UTC, datetime, timedelta

from glasstape.types.enums import Method, Quantity, Score
from glasstape.types.importance import (
    Importance,
    ImportanceChange,
    ImportanceEstimate,
    PartImportance,
    WindowFilter,
    WindowSet,
)
from glasstape.types.inference import Model

_END = datetime(2026, 1, 5, 21, tzinfo=UTC)
_DAYS = 30


def importance_of(model: Model, wanted: WindowFilter, reference: WindowFilter | None) -> Importance:
    """Return an importance of a model that looks at its features and bars in the ratio of 1, 2, 3 ...

    The first feature has gained a tenth of the whole since the reference.
    """
    parts = _parts(model, changed=reference is not None)
    return Importance(
        model=model.ref,
        method=Method.SCALED_PATH_GRADIENT,
        score=Score.MARGIN,
        quantity=Quantity.IMPORTANCE,
        shape=(model.time_steps, len(model.features)),
        windows=_windows(wanted),
        parts=parts,
        reference_windows=None if reference is None else _windows(reference),
        reference_parts=() if reference is None else _parts(model, changed=False),
    )


def _windows(wanted: WindowFilter) -> WindowSet:
    end = wanted.end or _END
    return WindowSet(
        windows=90, closes=_DAYS, symbols=len(wanted.symbols) or 3, block=6,
        start=wanted.start or end - timedelta(days=wanted.days or _DAYS), end=end, bars=100, examined=100, unusable=6,
        other_calls=4, seen=0, labeled=84, down=20, flat=30, up=40,
    )  # fmt: skip


def _parts(model: Model, *, changed: bool) -> tuple[PartImportance, ...]:
    steps, names = model.time_steps, [feature.name for feature in model.features]
    of_bar = [2 * (time + 1) / (steps * (steps + 1)) for time in range(steps)]
    width = len(names)
    of_feature = [2 * (feature + 1) / (width * (width + 1)) for feature in range(width)]
    return (
        *(_part(names, feature, None, share, changed) for feature, share in enumerate(of_feature)),
        *(_part(names, None, time, share, changed) for time, share in enumerate(of_bar)),
        *(
            _part(names, feature, time, of_bar[time] * of_feature[feature], changed)
            for time in range(steps)
            for feature in range(width)
        ),
    )


def _part(
    names: list[str], feature: int | None, time: int | None, share: float, changed: bool
) -> PartImportance:
    gained = 0.1 if feature == 0 and time is None else 0.0
    change = ImportanceChange(
        change=_estimate(gained), p_value=0.001 if gained else 1.0, significant=gained > 0
    )
    return PartImportance(
        feature="" if feature is None else names[feature],
        feature_index=feature,
        time_index=time,
        importance=_estimate(2 * share),
        share=_estimate(share),
        signed_mean=_estimate(share if (feature or 0) % 2 else -share),
        loss_increase=_estimate(share / 10),
        change=change if changed else None,
    )


def _estimate(value: float) -> ImportanceEstimate:
    half = 0.2 * abs(value) + 0.001
    return ImportanceEstimate(value=value, low=value - half, high=value + half)
