"""`glasstape bench learning`: networks, trees and ensembles on several feature sets, on the same windows of real bars.

Walk-forward as in `glasstape evaluate`. The log loss gains are compared with those of the first candidate on the first
feature set, day by day: intervals of the differences are paired.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from glasstape_server.domain.statistics import IntervalEstimate
from glasstape_server.evaluation import candidates
from glasstape_server.evaluation.averaging import averaged
from glasstape_server.evaluation.candidates import EvaluationPlan, FoldResult
from glasstape_server.evaluation.evaluate import Evaluator
from glasstape_server.evaluation.metrics import MetricEstimates
from glasstape_server.storage import temporary
from glasstape_server.training.dataset import Dataset

JOINT = "+"
"""Joins the members of an ensemble."""

ProgressCallback = Callable[[int, int, str], None]
"""Called with the number of finished fits, that of all fits, and what was fitted last."""


@dataclass(frozen=True, slots=True)
class LearningRow:
    """One candidate on one feature set."""

    features: str
    candidate: str
    metrics: dict[str, IntervalEstimate]
    above: IntervalEstimate
    """Log loss gain above that of the first row, nats, on the same windows."""


@dataclass(frozen=True, slots=True)
class LearningTable:
    """Result on one market."""

    windows: int
    symbols: int
    tested: int
    days: int
    block: int
    """Days per block of the intervals."""
    rows: tuple[LearningRow, ...]

    def to_markdown(self) -> str:
        """Return the table."""
        first = self.rows[0]
        lines = [
            f"{self.windows:,} windows of {self.symbols} symbols, {self.tested:,} tested on {self.days:,} days; "
            f"intervals: 95 %, bootstrap of blocks of {self.block} days.",
            "",
            "| features | candidate | accuracy, % | log loss gain, nats | "
            f"above {first.candidate} on {first.features}, nats | FLAT part | direction part | "
            "right when it moved, % | ECE |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for number, row in enumerate(self.rows):
            m = row.metrics
            cells = [
                row.features,
                row.candidate.replace(JOINT, f" {JOINT} "),
                _text(m["accuracy"], 100, 2),
                _text(m["log_loss_gain"], 1, 4, sign="+"),
                _text(row.above, 1, 4, sign="+") if number else "–",
                _text(m["flat_gain"], 1, 4, sign="+"),
                _text(m["direction_gain"], 1, 4, sign="+"),
                _text(m["moved_hit_rate"], 100, 2) if "moved_hit_rate" in m else "–",
                _text(m["ece"], 1, 4),
            ]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)


def check_candidates(names: Sequence[str]) -> tuple[str, ...]:
    """Return the candidates to fit: the members of all ensembles, each once.

    Raises:
        ValueError: there are none, or a name has an empty member.
    """
    members = [member for name in names for member in name.split(JOINT)]
    if not members or not all(members):
        raise ValueError(f"--candidates: must be networks, trees, or A{JOINT}B, has {','.join(names)!r}")
    return tuple(dict.fromkeys(members))


def run(
    data: Mapping[str, Dataset],
    names: Sequence[str],
    plan: EvaluationPlan,
    interval: str,
    processes: int = 1,
    on_progress: ProgressCallback = lambda done, total, text: None,
) -> LearningTable:
    """Fit and test candidates on every feature set.

    Args:
        data: windows by the name of their feature set, of the same bars. Those that all of them have are used.
        names: candidates; A+B averages the logits of A and of B, of every seed.
        plan: folds, seeds, epochs, windows and rule; its candidates are replaced.
        interval: of the bars.
        processes: fits at once.
        on_progress: called after each fit.

    Raises:
        ValueError: too little data, or an unknown candidate.
    """
    plan = replace(plan, candidates=check_candidates(names), maps=False)
    common = _common(list(data.values()))
    estimates: dict[tuple[str, str], MetricEstimates] = {}
    windows = Evaluator(common[0], plan, 0.0, interval)
    for number, (features, part) in enumerate(zip(data, common, strict=True)):

        def report(
            done: int, total: int, result: FoldResult, number: int = number, name: str = features
        ) -> None:
            on_progress(number * total + done, len(data) * total, f"{name}, {result.to_text()}")

        results = _fitted(part, plan, processes, report)
        for name in names:
            estimates[features, name] = windows.metrics(_of_candidate(name, results, plan))
    reference = next(iter(estimates.values()))
    rows = tuple(
        LearningRow(*key, own.estimates, own.difference(reference, "log_loss_gain"))
        for key, own in estimates.items()
    )
    symbols = len(np.unique(common[0].symbol))
    return LearningTable(len(common[0]), symbols, windows.tested, windows.days, windows.block, rows)


def _fitted(
    data: Dataset, plan: EvaluationPlan, processes: int, on_progress: candidates.ProgressCallback
) -> list[FoldResult]:
    folder = temporary.create_folder("learning")
    try:
        return candidates.run(data, plan, folder, processes, on_progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _of_candidate(name: str, results: Sequence[FoldResult], plan: EvaluationPlan) -> list[FoldResult]:
    """Return the results of a candidate, or of an ensemble on each fold."""
    members = name.split(JOINT)
    own = [result for result in results if result.task.candidate in members]
    if len(members) == 1:
        return own
    return [averaged(name, [r for r in own if r.task.fold == fold]) for fold in range(plan.folds)]


def _common(parts: Sequence[Dataset]) -> list[Dataset]:
    """Return the windows that all data sets have, by symbol and close."""
    keys = [
        pl.DataFrame({"symbol": part.symbol, "close": part.close_time}).with_row_index("row")
        for part in parts
    ]
    common = keys[0].select("symbol", "close")
    for other in keys[1:]:
        common = common.join(other, on=["symbol", "close"], how="semi")
    return [
        part.select(
            own.join(common, on=["symbol", "close"], how="semi", maintain_order="left")["row"].to_numpy()
        )
        for part, own in zip(parts, keys, strict=True)
    ]


def _text(value: IntervalEstimate, factor: float, digits: int, sign: str = "") -> str:
    shown, low, high = (f"{factor * each:{sign}.{digits}f}" for each in (value.value, value.low, value.high))
    return f"{shown} ({low} … {high})"
