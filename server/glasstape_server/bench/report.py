"""What a benchmark found, as Markdown and as JSON, with the machine and versions it was found on."""

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("grpcio", "pygrpc-native", "protobuf", "numpy", "torch")


@dataclass(frozen=True)
class Figure:
    """One quantity, measured several times; ratios hold within one run alone."""

    what: str
    unit: str
    values: Sequence[float]
    ratios: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Each measurement by that of the same round of something else, by its name."""

    @property
    def median(self) -> float:
        """The middle of the values."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Report:
    """The figures of one run."""

    title: str
    how: str
    """What was done, in a sentence."""
    figures: Sequence[Figure]

    def to_markdown(self) -> str:
        """A table of medians with ranges."""
        names = list(dict.fromkeys(name for figure in self.figures for name in figure.ratios))
        heads = "".join(f" by {name} |" for name in names)
        lines = [f"### {self.title}", "", f"{self.how} {machine()}", "", f"| what | median (range) |{heads}"]
        lines.append("|---|---:|" + "---:|" * len(names))
        for figure in self.figures:
            cells = "".join(
                f" {_spread(figure.ratios[name], '')} |" if name in figure.ratios else " |" for name in names
            )
            lines.append(f"| {figure.what} | {_spread(figure.values, figure.unit)} |{cells}")
        return "\n".join(lines)

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        found = {"title": self.title, "how": self.how, "machine": machine()}
        path.write_text(
            json.dumps({**found, "figures": [asdict(figure) for figure in self.figures]}, indent=1)
        )


def machine() -> str:
    """The processor, its cores and the versions that count."""
    import os

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    versions = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}, {', '.join(versions)}."


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Each of ours by theirs of the same round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


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
