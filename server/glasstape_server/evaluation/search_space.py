"""Space of a hyperparameter search: what Optuna may choose for each architecture, and what was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glasstape_server.models.networks.architectures import BOOSTED
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.fit import FitOptions

if TYPE_CHECKING:
    from optuna.trial import Trial

ARCHITECTURE = "architecture"
"""Name of the parameter that chooses the architecture."""


@dataclass(frozen=True, slots=True)
class Range:
    """Values from `low` to `high`; whole numbers if both are."""

    low: float
    high: float
    log: bool = True

    def suggest(self, trial: "Trial", name: str) -> float:
        """Let Optuna choose a value."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some values."""

    values: tuple[int, ...]

    def suggest(self, trial: "Trial", name: str) -> float:
        """Let Optuna choose a value."""
        return int(trial.suggest_categorical(name, self.values))


NETWORKS: Mapping[str, Range | OneOf] = {
    "learning_rate": Range(1e-4, 3e-2),
    "weight_decay": Range(1e-4, 0.3),
    "batch": OneOf((64, 128, 256, 512, 1024)),
}
"""Options of networks: fields of `FitOptions`."""
TREES: Mapping[str, Range | OneOf] = {
    "learning_rate": Range(0.01, 0.3),
    "leaves": Range(4, 63),
    "leaf_windows": Range(20, 2000),
    "features": Range(0.2, 1.0, log=False),
    "l2": Range(0.01, 100.0),
}
"""Options of trees: fields of `BoostingOptions`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Architecture and options of one trial."""

    architecture: str
    fit: FitOptions
    boosting: BoostingOptions

    @property
    def boosted(self) -> bool:
        """Whether it is of trees."""
        return self.architecture in BOOSTED


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Architectures, and the options from which a search starts."""

    architectures: tuple[str, ...]
    fit: FitOptions
    boosting: BoostingOptions
    fixed: frozenset[str] = frozenset()
    """Options that the search leaves as they are."""

    def default(self, architecture: str) -> dict[str, Any]:
        """Return Optuna's parameters of an architecture with the options from which the search starts."""
        options = self.boosting if architecture in BOOSTED else self.fit
        own = {self._name(architecture, name): getattr(options, name) for name in self._free(architecture)}
        return {ARCHITECTURE: architecture, **own}

    def suggest(self, trial: "Trial") -> Choice:
        """Let Optuna choose."""
        architecture = str(trial.suggest_categorical(ARCHITECTURE, self.architectures))
        free = self._free(architecture)
        values = {name: part.suggest(trial, self._name(architecture, name)) for name, part in free.items()}
        return self._choice(architecture, values)

    def choice(self, parameters: Mapping[str, Any]) -> Choice:
        """Return the choice of Optuna's parameters of a trial."""
        architecture = str(parameters[ARCHITECTURE])
        names = self._free(architecture)
        return self._choice(architecture, {n: parameters[self._name(architecture, n)] for n in names})

    def to_text(self, choice: Choice) -> str:
        """Return architecture and chosen options."""
        options = choice.boosting if choice.boosted else choice.fit
        names = self._free(choice.architecture)
        chosen = [f"{name} {getattr(options, name):.4g}" for name in names]
        return f"{choice.architecture} ({', '.join(chosen) or 'nothing to choose'})"

    def _choice(self, architecture: str, values: Mapping[str, Any]) -> Choice:
        if architecture in BOOSTED:
            return Choice(architecture, self.fit, replace(self.boosting, **values))
        return Choice(architecture, replace(self.fit, **values), self.boosting)

    def _free(self, architecture: str) -> dict[str, Range | OneOf]:
        parts = TREES if architecture in BOOSTED else NETWORKS
        return {name: part for name, part in parts.items() if name not in self.fixed}

    @staticmethod
    def _name(architecture: str, name: str) -> str:
        """Return the name of an option: networks share what is known of theirs, and so do trees."""
        return f"{'trees' if architecture in BOOSTED else 'network'}.{name}"
