"""The model versions on disk, which of them serve, and which one publishes signals.

Layout: ROOT/NAME/VERSION/{manifest.json, weights.safetensors}. Versions of one name are ordered
naturally (2 < 10). A journal may refer to a version that was removed from ROOT later, so every
version that publishes is first copied to the archive, under its digest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glasstape_server.domain.errors import NotFound, Unavailable
from glasstape_server.domain.values import SECOND
from glasstape_server.models import artifact
from glasstape_server.models.artifact import ArtifactError
from glasstape_server.models.model import Model
from glasstape_server.models.promotion import PROMOTED, promoted

Stamp = tuple[tuple[str, int, int], ...]


_PROMOTION = (PROMOTED, "-")
"""Under which a promotion that cannot be followed stands among the refusals."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that must not serve."""

    name: str
    version: str
    reason: str
    stamp: Stamp


class Repository:
    """Reads are safe from any thread; changes are made by one caller at a time."""

    def __init__(self, root: Path, archive: Path, interval: str, preferred: str = "") -> None:
        self.root = root
        self.archive = archive
        self.interval = interval
        """Length of the bars that are signalled; only a model for these may publish."""
        self.preferred = preferred
        self._models: dict[tuple[str, str], Model] = {}
        self._archived: dict[str, Model] = {}
        self._seen: dict[str, int] = {}
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
        """Ready versions, by name, newest version first."""
        return [self._models[key] for key in sorted(self._models, key=_order)]

    def refusals(self) -> list[Refusal]:
        """Refused versions, by name, newest version first."""
        return [self._refusals[key] for key in sorted(self._refusals, key=_order)]

    def get(self, model: str) -> Model:
        """The model of "name", "name@version" or "" (the active one).

        Raises:
            NotFound: there is none; the message lists what there is.
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
            f"model: {model[:80]!r} is not ready here; ready: {known}",
            metadata={"model": model[:80]},
        )

    def by_digest(self, digest: str) -> Model:
        """A version by its digest, from the archive if it serves no more.

        Raises:
            NotFound: it was never published here, or its archived copy is damaged.
        """
        for model in self._models.values():
            if model.ref.digest == digest:
                return model
        if digest not in self._archived:
            try:
                found = artifact.load(self.archive / digest, archived=True)
                if found.ref.digest != digest:
                    raise ArtifactError(f"the archived copy is of {found.ref.digest[:12]}")
            except ArtifactError as error:
                raise NotFound(
                    "MODEL_NOT_FOUND", f"model {digest[:12]}: {error}", metadata={"digest": digest}
                ) from None
            self._archived[digest] = found
        return self._archived[digest]

    def seen_until(self, digest: str) -> int:
        """Last close that the model of a digest has learnt from, microseconds; 0 if it is not known here.

        Reads a manifest at most, once for each digest.
        """
        if digest not in self._seen:
            known = next((m.manifest for m in self._models.values() if m.ref.digest == digest), None)
            try:
                manifest = known or artifact.read_manifest(self.archive / digest, archived=True)
            except ArtifactError:
                self._seen[digest] = 0
                return 0
            self._seen[digest] = int(manifest.data.validation.last_close.timestamp() * SECOND)
        return self._seen[digest]

    def keep(self, model: Model) -> None:
        """Copy a version to the archive, so that its signals can be reopened for good.

        Raises:
            ArtifactError: its files are not what was loaded.
            OSError: they cannot be copied.
        """
        ref = model.ref
        artifact.copy(self.root / ref.name / ref.version, self.archive / ref.digest, ref.digest)

    def discover(self) -> list[Model]:
        """Load and check every new version on disk; returns those that may serve.

        They serve only after `admit`. Versions that fail are remembered as refused until their files
        change. Versions whose folder is gone serve on until the process ends.
        """
        found = []
        for folder in self._folders():
            key = (_legible(folder.parent.name), _legible(folder.name))
            try:
                stamp = _stamp(folder)
            except OSError as error:
                self._refusals[key] = Refusal(*key, error.strerror or "cannot be read", ())
                continue
            refusal = self._refusals.get(key)
            if key in self._models or (refusal is not None and refusal.stamp == stamp):
                continue
            try:
                found.append(artifact.load(folder))
                self._refusals.pop(key, None)
            except ArtifactError as error:
                self._refusals[key] = Refusal(*key, str(error), stamp)
            except OSError as error:
                self._refusals[key] = Refusal(*key, error.strerror or "cannot be read", stamp)
        return found

    def refuse(self, model: Model, reason: str, *, for_good: bool = True) -> None:
        """Remember that a loaded version failed later (while warming, say).

        Args:
            model: the version.
            reason: why.
            for_good: until its files change; else it is tried again at the next look.
        """
        key = (model.ref.name, model.ref.version)
        stamp = _stamp(self.root / key[0] / key[1]) if for_good else ()
        self._refusals[key] = Refusal(*key, reason, stamp)

    def admit(self, model: Model) -> bool:
        """Let a checked and warmed version serve; returns whether another version is active now."""
        return self._elect({**self._models, (model.ref.name, model.ref.version): model})

    def follow_promotion(self) -> bool:
        """Let the version publish that was promoted since; returns whether another version is active now."""
        return self._elect(self._models)

    def _elect(self, candidates: dict[tuple[str, str], Model]) -> bool:
        """Choose who publishes: one name, the wanted one or the first; of it the newest version."""
        usable = [candidates[key] for key in sorted(candidates, key=_order)]
        usable = [m for m in usable if m.manifest.interval == self.interval]
        name, version = self._wanted(usable)
        chosen = (m for m in usable if m.ref.name == name and version in ("", m.ref.version))
        newest = next(chosen, self._active)
        if newest is not None and newest is not self._active:
            self.keep(newest)  # first: if it fails, the version is found again at the next look
        changed, self._models, self._active = newest is not self._active, candidates, newest
        return changed

    def _wanted(self, usable: Sequence[Model]) -> tuple[str, str]:
        """Name and version that are to publish: the preferred one, or else the promoted one, or the first."""
        first = min((m.ref.name for m in usable), default="")
        if self.preferred:
            name, _, version = self.preferred.partition("@")
            return name, version
        try:
            name, _, version = promoted(self.root).partition("@")
        except ArtifactError as error:
            self._complain(str(error))
            return (self._active.ref.name, self._active.ref.version) if self._active else (first, "")
        if not name:
            return first, ""
        if usable and not any((m.ref.name, m.ref.version) == (name, version) for m in usable):
            ready = ", ".join(f"{m.ref.name}@{m.ref.version}" for m in usable)
            missing = f"{name}@{version}, which is not ready for {self.interval} bars"
            self._complain(f"{PROMOTED} names {missing}; ready: {ready}")
            return (self._active.ref.name, self._active.ref.version) if self._active else (first, "")
        self._refusals.pop(_PROMOTION, None)
        return name, version

    def _complain(self, reason: str) -> None:
        self._refusals[_PROMOTION] = Refusal(*_PROMOTION, reason, ((reason, 0, 0),))

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return [
            version
            for name in sorted(self.root.iterdir())
            if name.is_dir() and not name.name.startswith((".", "_"))
            for version in sorted(name.iterdir())
            if version.is_dir() and not version.name.startswith(".")
        ]


def _legible(name: str) -> str:
    """A folder's name for logs and messages, whatever bytes it has."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def _stamp(folder: Path) -> Stamp:
    """Changes whenever a file of the folder does."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        status = path.stat()
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _order(key: tuple[str, str]) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    """By name, then newest version first: digits count as numbers."""
    name, version = key
    parts = re.findall(r"[0-9]+|[^0-9]+", version)
    return name, tuple((-int(p), 0, "") if p[0] in "0123456789" else (0, 1, p) for p in parts)
