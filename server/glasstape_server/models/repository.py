"""Model versions on disk: which of them serve, and which one publishes signals.

Layout: ROOT/NAME/VERSION/{manifest.json, weights.safetensors}. Versions of one name are ordered
naturally (2 < 10). A journal may refer to a version that was removed from ROOT later, so every
version that publishes is first copied to the archive, under its digest. A version never changes: other
files under the name and version of one that has served are refused, also by later servers on the archive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glasstape_server.domain.errors import NotFound, Unavailable
from glasstape_server.domain.training_reference import TrainingReference
from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.models.known_versions import KnownVersions
from glasstape_server.models.model import Model
from glasstape_server.models.promotion import PROMOTED, promoted
from glasstape_server.models.training_facts import TrainingFacts
from glasstape_server.models.training_reference import training_reference
from glasstape_server.models.version_files import (
    Stamp,
    check_unchanged,
    load_archived,
    load_known,
    printable,
    stamp_of,
    version_folders,
    version_order,
)

_PROMOTION = (PROMOTED, "-")
"""Key of a promotion that cannot be followed, among the refusals."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Files of a version that must not serve."""

    name: str
    version: str
    reason: str
    stamp: Stamp


class Repository:
    """The versions of one folder. Reads are safe on any thread; changes need one caller at a time.

    Args:
        root: folder of artifacts.
        archive: folder of copies, by digest.
        interval: bar interval to publish signals for; only a model for it may publish.
        preferred: NAME or NAME@VERSION that publishes; empty: the promoted one, else the first by name.

    Raises:
        ValueError: the archive's list of known versions is damaged.
    """

    def __init__(self, root: Path, archive: Path, interval: str, preferred: str = "") -> None:
        self.root = root
        self.archive = archive
        self.interval = interval
        """Bar interval to publish signals for."""
        self.preferred = preferred
        self._known = KnownVersions(archive)
        self._models: dict[tuple[str, str], Model] = {}
        self._stamps: dict[tuple[str, str], Stamp] = {}
        """Of the files that were loaded."""
        self._archived: dict[str, Model] = {}
        self._facts: dict[str, TrainingFacts | None] = {}
        self._refusals: dict[tuple[str, str], Refusal] = {}
        self._active: Model | None = None

    @property
    def active(self) -> Model:
        """The model that publishes signals.

        Raises:
            Unavailable: no model is ready yet.
        """
        if self._active is None:
            raise Unavailable("LOADING", f"no usable model for {self.interval} bars in {self.root.name}")
        return self._active

    def models(self) -> list[Model]:
        """Return the ready versions, by name, newest version first."""
        return [self._models[key] for key in sorted(self._models, key=version_order)]

    def refusals(self) -> list[Refusal]:
        """Return the refused versions, by name, newest version first."""
        return [self._refusals[key] for key in sorted(self._refusals, key=version_order)]

    def replaced(self) -> list[Refusal]:
        """Return the refusals of versions that serve although other files lie in their folder."""
        return [
            self._refusals[key] for key in sorted(self._refusals, key=version_order) if key in self._models
        ]

    def get(self, model: str) -> Model:
        """Return the model of "name", "name@version" or "" (the active one).

        Raises:
            NotFound: no ready version matches; the message lists those that are ready.
        """
        if not model:
            return self.active
        name, _, version = model.partition("@")
        for candidate in self.models():
            if candidate.ref.name == name and version in ("", candidate.ref.version):
                return candidate
        known = ", ".join(f"{m.ref.name}@{m.ref.version}" for m in self.models()) or "none"
        raise NotFound(
            "MODEL_NOT_FOUND",
            f"model: {model[:80]!r} is not ready; ready: {known}",
            metadata={"model": model[:80]},
        )

    def by_digest(self, digest: str) -> Model:
        """Return a version by its digest, from the archive if it no longer serves.

        Raises:
            NotFound: it never published on this server, or its archived copy is damaged.
        """
        for model in self._models.values():
            if model.ref.digest == digest:
                return model
        if digest not in self._archived:
            try:
                self._archived[digest] = load_archived(self.archive, digest)
            except ArtifactError as error:
                raise NotFound(
                    "MODEL_NOT_FOUND", f"model {digest[:12]}: {error}", metadata={"digest": digest}
                ) from None
        return self._archived[digest]

    def was_trained_on(self, digest: str, symbol: str, close_time: int) -> bool:
        """Return whether a bar may be in a model's training or validation data; False for an unknown digest.

        It may if its symbol is among those of the data, and its close is not later than their last one. Reads one
        manifest at most, once for each digest.

        Args:
            digest: of the model.
            symbol: of the bar.
            close_time: of the bar, microseconds since 1970.
        """
        facts = self._training_facts(digest)
        return facts is not None and facts.include(symbol, close_time)

    def training_shares(self, digest: str) -> tuple[float, float, float] | None:
        """Return the shares of DOWN, FLAT and UP in a model's training windows; None for an unknown digest."""
        facts = self._training_facts(digest)
        return None if facts is None else facts.shares

    def training_reference(self, digest: str) -> TrainingReference | None:
        """Return the statistics of a model's training windows; None for an unknown digest."""
        return training_reference(self.by_digest, digest)

    def _training_facts(self, digest: str) -> TrainingFacts | None:
        if digest not in self._facts:
            known = next((m.manifest for m in self._models.values() if m.ref.digest == digest), None)
            try:
                manifest = known or artifact.read_manifest(self.archive / digest, archived=True)
            except ArtifactError:
                self._facts[digest] = None
            else:
                self._facts[digest] = TrainingFacts.of(manifest)
        return self._facts[digest]

    def keep(self, model: Model) -> None:
        """Copy a version to the archive, so that its past signals can always be reopened.

        Raises:
            ArtifactError: its files have changed since they were loaded.
            OSError: they cannot be copied.
        """
        ref = model.ref
        artifact.copy(self.root / ref.name / ref.version, self.archive / ref.digest, ref.digest)

    def discover(self) -> list[Model]:
        """Load and check every new version on disk; return those that may serve.

        They serve only after `admit`. Versions that fail are refused until their files change. Versions
        whose folder was removed keep serving until the process ends, as do those whose files were replaced.
        """
        loaded = []
        for folder in version_folders(self.root):
            key = (printable(folder.parent.name), printable(folder.name))
            try:
                stamp = stamp_of(folder)
            except OSError as error:
                self._refusals[key] = Refusal(*key, error.strerror or "cannot be read", ())
                continue
            if stamp == self._examined(key):
                continue
            try:
                if key in self._models:
                    check_unchanged(folder, self._models[key])
                else:
                    loaded.append(load_known(folder, self._known.digest(*key)))
                self._stamps[key] = stamp
                self._refusals.pop(key, None)
            except ArtifactError as error:
                self._refusals[key] = Refusal(*key, str(error), stamp)
                loaded += self._original(key)
            except OSError as error:
                self._refusals[key] = Refusal(*key, error.strerror or "cannot be read", stamp)
        return loaded

    def _examined(self, key: tuple[str, str]) -> Stamp | None:
        """Return the stamp of a version's files when they were refused or loaded; None: neither."""
        if key in self._refusals:
            return self._refusals[key].stamp
        return self._stamps.get(key) if key in self._models else None

    def _original(self, key: tuple[str, str]) -> list[Model]:
        """Return the archived model of a refused version that served before, unless it serves already.

        So a version whose files were replaced while no server ran goes on as it was, if it has published.
        """
        digest = self._known.digest(*key)
        if key in self._models or not (digest and (self.archive / digest).is_dir()):
            return []
        try:
            return [load_archived(self.archive, digest)]
        except ArtifactError as error:
            refusal = self._refusals[key]
            self._refusals[key] = replace(refusal, reason=f"{refusal.reason}; archived copy: {error}")
            return []

    def refuse(self, model: Model, reason: str, *, permanent: bool = True) -> None:
        """Refuse a version that failed after it was loaded, such as while warming up.

        Args:
            model: the version.
            reason: cause.
            permanent: until its files change; else it is tried again at the next poll.
        """
        key = (model.ref.name, model.ref.version)
        stamp = stamp_of(self.root / key[0] / key[1]) if permanent else ()
        self._refusals[key] = Refusal(*key, reason, stamp)

    def admit(self, model: Model) -> bool:
        """Let a checked and warmed-up version serve; return whether the active version changed.

        Raises:
            ArtifactError: its files have changed since they were loaded.
            OSError: it cannot be recorded or archived.
        """
        return self._elect({**self._models, (model.ref.name, model.ref.version): model}, model)

    def follow_promotion(self) -> bool:
        """Activate the version that was promoted since; return whether the active version changed."""
        return self._elect(self._models)

    def _elect(self, candidates: dict[tuple[str, str], Model], admitted: Model | None = None) -> bool:
        """Choose the active version: the newest of the wanted name, or else of the first name."""
        usable = [candidates[key] for key in sorted(candidates, key=version_order)]
        usable = [m for m in usable if m.manifest.interval == self.interval]
        name, version = self._wanted(usable)
        chosen = (m for m in usable if m.ref.name == name and version in ("", m.ref.version))
        newest = next(chosen, self._active)
        if newest is not None and newest is not self._active:
            self.keep(newest)  # first: if it fails, the version is found again at the next poll
        if admitted is not None:
            self._known.remember(admitted.ref)
        changed, self._models, self._active = newest is not self._active, candidates, newest
        return changed

    def _wanted(self, usable: Sequence[Model]) -> tuple[str, str]:
        """Return name and version to publish: the preferred one, else the promoted one, else the first."""
        first = min((m.ref.name for m in usable), default="")
        if self.preferred:
            name, _, version = self.preferred.partition("@")
            return name, version
        try:
            name, _, version = promoted(self.root).partition("@")
        except ArtifactError as error:
            self._refuse_promotion(str(error))
            return (self._active.ref.name, self._active.ref.version) if self._active else (first, "")
        if not name:
            return first, ""
        if usable and not any((m.ref.name, m.ref.version) == (name, version) for m in usable):
            ready = ", ".join(f"{m.ref.name}@{m.ref.version}" for m in usable)
            missing = f"{name}@{version}, which is not ready for {self.interval} bars"
            self._refuse_promotion(f"{PROMOTED} names {missing}; ready: {ready}")
            return (self._active.ref.name, self._active.ref.version) if self._active else (first, "")
        self._refusals.pop(_PROMOTION, None)
        return name, version

    def _refuse_promotion(self, reason: str) -> None:
        self._refusals[_PROMOTION] = Refusal(*_PROMOTION, reason, ((reason, (0, 0, 0, 0)),))
