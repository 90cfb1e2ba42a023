"""Comparison of runs: what differs in data and options, and the metrics side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glasstape_server.training.run_record import Metric, RunRecord

NONE = "–"


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Differences of runs."""

    runs: tuple[str, ...]
    """Ids."""
    options: Mapping[str, tuple[Any, ...]]
    """Options that differ, by name; None: a run does not have it."""
    facts: Mapping[str, tuple[Any, ...]]
    """Data, versions and kinds that differ."""
    models: tuple[tuple[str, str], ...]
    """Id of the run and name of each model: the columns of the metrics."""
    metrics: Mapping[str, tuple[Metric | None, ...]]
    """Metrics of each model, by name; None: a model does not have it."""

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison for JSON."""
        return {
            "runs": list(self.runs),
            "options": {name: list(values) for name, values in self.options.items()},
            "facts": {name: list(values) for name, values in self.facts.items()},
            "models": [{"run": run, "name": name} for run, name in self.models],
            "metrics": {
                name: [None if value is None else value.model_dump() for value in values]
                for name, values in self.metrics.items()
            },
        }

    def to_text(self) -> str:
        """Return two tables: differing data and options by run, and metrics by model.

        Metrics of one run only are left out, unless the runs have none in common.
        """
        rows = [
            ("", *self.runs),
            *((name, *map(_cell, values)) for name, values in {**self.facts, **self.options}.items()),
        ]
        runs_of = {
            name: {run for (run, _), value in zip(self.models, values, strict=True) if value is not None}
            for name, values in self.metrics.items()
        }
        shared = {name for name, runs in runs_of.items() if len(runs) > 1} or set(runs_of)
        figures = [
            ("", *(run for run, _ in self.models)),
            ("metric", *(name for _, name in self.models)),
            *(
                (name, *(NONE if value is None else value.to_text() for value in values))
                for name, values in self.metrics.items()
                if name in shared
            ),
        ]
        same = "" if len(rows) > 1 else "\nsame data and options"
        return f"{aligned(rows)}{same}\n\n{aligned(figures)}"


def compare(records: Sequence[RunRecord]) -> RunComparison:
    """Compare runs."""
    options = [record.options for record in records]
    facts = [_facts(record) for record in records]
    models = [(record.id, model) for record in records for model in record.models]
    metrics = {
        name: tuple(model.metrics.get(name) for _, model in models)
        for name in dict.fromkeys(name for _, model in models for name in model.metrics)
    }
    columns = tuple((run, model.name) for run, model in models)
    return RunComparison(
        tuple(record.id for record in records), _different(options), _different(facts), columns, metrics
    )


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns of text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _facts(record: RunRecord) -> dict[str, Any]:
    data = record.data
    return {
        "kind": record.kind,
        "status": record.status,
        "glasstape": record.version,
        **record.packages,
        "data sha256": data.sha256,
        "bars": data.bars,
        "symbols": data.symbols,
        "first close": data.first_close.isoformat(),
        "last close": data.last_close.isoformat(),
        "time zone": data.time_zone,
    }


def _different(each: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    names = dict.fromkeys(name for values in each for name in values)
    sides = {name: tuple(values.get(name) for values in each) for name in names}
    return {name: values for name, values in sides.items() if any(value != values[0] for value in values)}


def _cell(value: Any) -> str:
    return NONE if value is None else str(value)
