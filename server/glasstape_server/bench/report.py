"""Result of a benchmark as Markdown and JSON, with the machine and versions it ran on."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("grpcio", "pygrpc-native", "protobuf", "numpy", "torch")


@dataclass(frozen=True)
class Measurement:
    """A quantity, measured in several rounds."""

    label: str
    unit: str
    values: Sequence[float]
    """By round."""
    ratios: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Reference -> ratio to it in each round. Ratios are comparable within one run only."""

    @property
    def median(self) -> float:
        """Median of the values."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class BenchmarkReport:
    """Measurements of one run."""

    title: str
    setup: str
    """One sentence on how it was measured."""
    measurements: Sequence[Measurement]

    def to_markdown(self) -> str:
        """Return a table of medians with ranges."""
        names = list(dict.fromkeys(name for each in self.measurements for name in each.ratios))
        heads = "".join(f" / {name} |" for name in names)
        lines = [f"### {self.title}", "", f"{self.setup} {machine()}", ""]
        lines += [f"| measurement | median (range) |{heads}", "|---|---:|" + "---:|" * len(names)]
        for each in self.measurements:
            cells = "".join(
                f" {_spread(each.ratios[name], '')} |" if name in each.ratios else " |" for name in names
            )
            lines.append(f"| {each.label} | {_spread(each.values, each.unit)} |{cells}")
        return "\n".join(lines)

    def save(self, path: Path) -> None:
        """Write all measurements as JSON.

        Raises:
            OSError: the file cannot be written.
        """
        content = {"title": self.title, "setup": self.setup, "machine": machine()}
        measurements = [asdict(each) for each in self.measurements]
        path.write_text(json.dumps({**content, "measurements": measurements}, indent=1))


def machine() -> str:
    """Return the processor, its cores, and the versions of the relevant packages."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
        model = names[0] if names else model
    versions = [f"{name} {number}" for name in PACKAGES if (number := _version(name))]
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(versions)}."


def ratios(values: Sequence[float], reference: Sequence[float]) -> list[float]:
    """Return the ratio of a value to the reference of the same round, for each round."""
    return [one / other for one, other in zip(values, reference, strict=True)]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _spread(values: Sequence[float], unit: str) -> str:
    middle, low, high = (_number(v) for v in (statistics.median(values), min(values), max(values)))
    return f"{middle}{' ' if unit else ''}{unit} ({low}–{high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
