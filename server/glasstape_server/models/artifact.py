"""A trained model on disk: a folder with manifest.json and weights.safetensors.

It holds no code. `load` checks everything before the model may serve: sizes, digests, names, shapes and
types of the tensors, finite values, and the golden vector.
"""

import hashlib
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
from glasstape.textfile import decode_text
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.model import Model, Statistics
from glasstape_server.models.networks.architectures import RANK_OUTPUTS, build
from glasstape_server.models.networks.trees import CLASSES, Trees
from glasstape_server.storage.files import creating

MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
NETWORK = "network."
"""Prefix of the tensors of the classes' network."""
RANK_HEAD = "rank_head."
"""Prefix of the tensors of the rank head."""
MAX_MANIFEST_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 1 << 29
MAX_HEADER_BYTES = 1 << 20
"""Header of a weights file: enough for thousands of tensors."""
COUNTED = ("golden.windows", "golden.logits", "golden.rank_scores", "background.windows")
"""Tensors that may have any number of rows, 1 .. `MAX_COUNTED`."""
MAX_COUNTED = 1024
GOLDEN_TOLERANCE = 1e-4
"""Largest difference of a golden logit or rank score: allows for another CPU's arithmetic, not for other weights."""


class ArtifactError(Exception):
    """An artifact that must not serve; the text gives the rule that it breaks."""


def save(
    folder: Path,
    manifest: Manifest,
    network: nn.Module,
    statistics: Statistics,
    rank_network: nn.Module | None = None,
) -> Path:
    """Write an artifact to `folder`/NAME/VERSION, all or nothing; return its folder.

    `manifest.weights_sha256` is set here.

    Args:
        folder: of artifacts.
        manifest: of the model.
        network: of the classes.
        statistics: other arrays.
        rank_network: of the rank head, if `manifest.rank_head` describes one.

    Raises:
        FileExistsError: the version exists.
    """
    target = folder / manifest.name / manifest.version
    networks = {NETWORK: network} | ({} if rank_network is None else {RANK_HEAD: rank_network})
    with creating(target) as draft:
        save_file(_tensors(networks, statistics), draft / WEIGHTS)
        digest = hashlib.sha256((draft / WEIGHTS).read_bytes()).hexdigest()
        manifest = manifest.model_copy(update={"weights_sha256": digest})
        (draft / MANIFEST).write_bytes(manifest.to_bytes())
    return target


def load(folder: Path, *, archived: bool = False) -> Model:
    """Load and check an artifact.

    Args:
        folder: NAME/VERSION.
        archived: the folder is not named after name and version.

    Raises:
        ArtifactError: it is missing, damaged or inconsistent; the text names the rule.
    """
    manifest = read_manifest(folder, archived=archived)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise ArtifactError(f"{WEIGHTS}: missing")
    if weights.stat().st_size > MAX_WEIGHTS_BYTES:
        raise ArtifactError(f"{WEIGHTS}: {weights.stat().st_size} bytes, at most {MAX_WEIGHTS_BYTES}")
    with weights.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > MAX_HEADER_BYTES:
        raise ArtifactError(f"{WEIGHTS}: header of {header} bytes, at most {MAX_HEADER_BYTES}")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != manifest.weights_sha256:
        raise ArtifactError(f"{WEIGHTS}: SHA-256 is {digest}, manifest says {manifest.weights_sha256}")
    try:
        spec = FeatureSpec.from_dict(manifest.feature_spec)
        with torch.device("meta"):  # shapes only: the manifest may describe more than fits into memory
            described = dict(_networks(manifest))
            expected = _shapes(described, spec)
        tensors = _read_tensors(weights, expected, _whole_numbers(described))
        networks = dict(_networks(manifest))
        for prefix, network in networks.items():
            network.load_state_dict(
                {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            )
            for module in network.modules():
                if isinstance(module, Trees):
                    module.check_values(*spec.window_shape)
        model = Model(manifest, networks[NETWORK], _statistics(tensors), networks.get(RANK_HEAD))
        check_golden(model)
    except (ValueError, TypeError, KeyError, RuntimeError, MemoryError) as error:
        raise ArtifactError(f"{type(error).__name__}: {str(error)[:300]}") from None
    return model


def copy(source: Path, target: Path, digest: str) -> None:
    """Copy the artifact with a digest, all or nothing; do nothing if `target` exists.

    Raises:
        ArtifactError: the source has another digest.
    """
    if target.exists():
        return
    with creating(target) as draft:
        for name in (MANIFEST, WEIGHTS):
            shutil.copyfile(source / name, draft / name)
        if load(draft, archived=True).ref.digest != digest:
            raise ArtifactError("its files changed after they were checked")


def check_golden(model: Model) -> None:
    """Compare the logits and rank scores of the golden windows with the recorded ones.

    Raises:
        ArtifactError: one differs from the recorded one by more than `GOLDEN_TOLERANCE`.
    """
    golden = model.statistics
    computed = [("logits", model.scorer, golden.golden_logits)]
    if model.rank_scorer is not None and golden.golden_rank_scores is not None:
        computed.append(("rank scores", model.rank_scorer, golden.golden_rank_scores))
    for name, scorer, recorded in computed:
        with torch.no_grad():
            error = float((scorer(golden.golden_windows) - recorded).abs().max())
        if not error <= GOLDEN_TOLERANCE:
            raise ArtifactError(f"golden vector: {name} differ by {error:.3g}, at most {GOLDEN_TOLERANCE}")


def read_manifest(folder: Path, *, archived: bool = False) -> Manifest:
    """Return the manifest of an artifact without reading its weights.

    Args:
        folder: NAME/VERSION.
        archived: the folder is not named after name and version.

    Raises:
        ArtifactError: it is missing, damaged, or another version's.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{MANIFEST}: missing")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ArtifactError(f"{MANIFEST}: {path.stat().st_size} bytes, at most {MAX_MANIFEST_BYTES}")
    try:
        manifest = Manifest.model_validate_json(decode_text(path.read_bytes(), MANIFEST))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ArtifactError(f"{MANIFEST}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise ArtifactError(str(error)) from None
    if not archived and (manifest.name, manifest.version) != (folder.parent.name, folder.name):
        raise ArtifactError(
            f"{MANIFEST}: is {manifest.name}/{manifest.version}, its folder {folder.parent.name}/{folder.name}"
        )
    return manifest


def _networks(manifest: Manifest) -> Iterator[tuple[str, nn.Module]]:
    """Yield the untrained networks that a manifest describes, each with the prefix of its tensors.

    Raises:
        ValueError: an architecture is unknown, or its config is invalid.
    """
    parts = [(NETWORK, manifest.architecture, CLASSES)]
    if manifest.rank_head is not None:
        parts.append((RANK_HEAD, manifest.rank_head, RANK_OUTPUTS))
    for prefix, architecture, outputs in parts:
        yield prefix, build(architecture.name, architecture.config, outputs)


def _read_tensors(
    path: Path, expected: Mapping[str, tuple[int, ...]], whole_numbers: Collection[str]
) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            rows = {name: shapes[name][0] for name in COUNTED if shapes.get(name)}
            for name in expected.keys() & {"golden.logits", "golden.rank_scores"}:
                rows[name] = rows.get("golden.windows", 0)
            wanted = {
                name: (rows.get(name, 0), *shape[1:]) if name in COUNTED else shape
                for name, shape in expected.items()
            }
            if shapes != wanted or not all(1 <= count <= MAX_COUNTED for count in rows.values()):
                wrong = sorted(set(shapes.items()) ^ set(wanted.items()))
                raise ArtifactError(f"{WEIGHTS}: tensors differ from the architecture's: {wrong[:4]}")
            tensors = {name: file.get_tensor(name) for name in shapes}
    except SafetensorError as error:
        raise ArtifactError(f"{WEIGHTS}: {error}") from None
    for name, tensor in tensors.items():
        if name in whole_numbers:
            if tensor.dtype != torch.int64:
                raise ArtifactError(f"{WEIGHTS}: {name} must be int64")
        elif tensor.dtype != torch.float32 or not torch.isfinite(tensor).all():
            raise ArtifactError(f"{WEIGHTS}: {name} must be finite float32")
    return tensors


def _states(networks: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return the tensors of networks, by prefix and name."""
    return {
        f"{prefix}{name}": tensor
        for prefix, network in networks.items()
        for name, tensor in network.state_dict().items()
    }


def _tensors(networks: Mapping[str, nn.Module], statistics: Statistics) -> dict[str, Tensor]:
    scores = statistics.golden_rank_scores
    return {
        **_states(networks),
        **({} if scores is None else {"golden.rank_scores": scores}),
        "normalization.mean": statistics.mean,
        "normalization.deviation": statistics.deviation,
        "novelty.center": statistics.novelty_center,
        "novelty.precision": statistics.novelty_precision,
        "novelty.quantiles": statistics.novelty_quantiles,
        "golden.windows": statistics.golden_windows,
        "golden.logits": statistics.golden_logits,
        "background.windows": statistics.background,
    }


def _statistics(tensors: Mapping[str, Tensor]) -> Statistics:
    return Statistics(
        mean=tensors["normalization.mean"],
        deviation=tensors["normalization.deviation"],
        novelty_center=tensors["novelty.center"],
        novelty_precision=tensors["novelty.precision"],
        novelty_quantiles=tensors["novelty.quantiles"],
        golden_windows=tensors["golden.windows"],
        golden_logits=tensors["golden.logits"],
        background=tensors["background.windows"],
        golden_rank_scores=tensors.get("golden.rank_scores"),
    )


def _whole_numbers(networks: Mapping[str, nn.Module]) -> set[str]:
    """Return the names of the tensors of whole numbers of networks."""
    return {name for name, tensor in _states(networks).items() if tensor.dtype == torch.int64}


def _shapes(networks: Mapping[str, nn.Module], spec: FeatureSpec) -> dict[str, tuple[int, ...]]:
    steps, width = spec.window_shape
    cells = steps * width
    return {
        **{name: tuple(tensor.shape) for name, tensor in _states(networks).items()},
        **({"golden.rank_scores": (0, RANK_OUTPUTS)} if RANK_HEAD in networks else {}),
        "normalization.mean": (width,),
        "normalization.deviation": (width,),
        "novelty.center": (cells,),
        "novelty.precision": (cells, cells),
        "novelty.quantiles": (101,),
        "golden.windows": (0, steps, width),
        "golden.logits": (0, 3),
        "background.windows": (0, steps, width),
    }
