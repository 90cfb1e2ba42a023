import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST, WEIGHTS, ArtifactError
from glasstape_server.settings import BUNDLED_MODELS
from safetensors.torch import load_file, save_file

SOURCE = BUNDLED_MODELS / "sample-conv1d" / "1"


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "sample-conv1d" / "1"
    shutil.copytree(SOURCE, target)
    return target


def resign(folder):
    """Make the manifest agree with the weights again, so that later checks are reached."""
    import hashlib

    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def edit(folder, **changes):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest.update(changes)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_the_bundled_model_loads_and_is_frozen(bundled):
    assert bundled.ref.name == "sample-conv1d"
    assert not bundled.scorer.training
    assert not any(p.requires_grad for p in bundled.scorer.parameters())


def test_save_and_load_give_the_same_model(bundled, tmp_path):
    network = bundled.scorer.network
    folder = artifact.save(tmp_path, bundled.manifest, network, bundled.statistics)
    assert artifact.load(folder).ref == bundled.ref
    with pytest.raises(FileExistsError):
        artifact.save(tmp_path, bundled.manifest, network, bundled.statistics)
    assert [p.name for p in tmp_path.rglob(".*")] == []


def test_one_flipped_bit_is_found(folder):
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-5] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))
    with pytest.raises(ArtifactError, match="SHA-256"):
        artifact.load(folder)


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (lambda t: t.update({"network.head.bias": torch.full((3,), torch.nan)}), "finite"),
        (lambda t: t.update({"network.head.bias": t["network.head.bias"] + 1e-2}), "golden"),
        (lambda t: t.update({"network.head.bias": torch.zeros(4)}), "differ from the architecture"),
        (lambda t: t.pop("network.head.bias"), "differ from the architecture"),
        (lambda t: t.update({"extra": torch.zeros(1)}), "differ from the architecture"),
        (lambda t: t.update({"network.head.bias": t["network.head.bias"].double()}), "float32"),
    ],
)
def test_wrong_weights_are_refused_even_when_signed(folder, tamper, message):
    tensors = load_file(folder / WEIGHTS)
    tamper(tensors)
    save_file(tensors, folder / WEIGHTS)
    resign(folder)
    with pytest.raises(ArtifactError, match=message):
        artifact.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, "temperature"),
        ({"version": "2"}, "its folder"),
        ({"architecture": {"name": "os.system", "config": {}}}, "architecture.name"),
        ({"architecture": {"name": "conv1d", "config": {"layers": 9}}}, "architecture.config"),
        ({"architecture": {"name": "conv1d", "config": {"channels": [10**7, 10**7]}}}, "Error"),
        ({"feature_spec": {"features": ["x"]}}, "feature_spec.features"),
        ({"surprise": 1}, "surprise"),
        ({"format": 1}, "format"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, change, message):
    edit(folder, **change)
    with pytest.raises(ArtifactError, match=message):
        artifact.load(folder)


def test_missing_files_and_rubbish_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="missing"):
        artifact.load(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"\x80\x04pickle")
    with pytest.raises(ArtifactError, match=MANIFEST):
        artifact.load(tmp_path)


def test_novelty_grows_with_distance(bundled):
    usual = bundled.statistics.golden_windows.numpy()
    centre = np.broadcast_to(bundled.statistics.mean.numpy(), (1, 6, 8)).astype(np.float32)
    far = centre + 50
    assert bundled.novelty(far)[0] == 1.0
    assert bundled.novelty(centre)[0] < bundled.novelty(usual).mean() < 1.0


def test_the_digest_is_that_of_the_file(bundled):
    content = (SOURCE / MANIFEST).read_bytes()
    assert bundled.manifest.digest == hashlib.sha256(content).hexdigest()
    assert bundled.manifest.to_bytes() == content


@pytest.mark.parametrize("missing", [("reliability",), ("data", "fit"), ("feature_spec",)])
def test_a_manifest_without_one_of_its_parts_is_refused(folder, missing):
    values = json.loads((folder / MANIFEST).read_bytes())
    part = values["data"] if len(missing) == 2 else values
    del part[missing[-1]]
    (folder / MANIFEST).write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=rf"{'.'.join(missing)}: Field required"):
        artifact.load(folder)


def test_a_header_that_claims_too_much_is_refused_before_it_is_read(folder):
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes((1 << 40).to_bytes(8, "little") + data[8:])
    resign(folder)
    with pytest.raises(ArtifactError, match="header of 1099511627776 bytes, at most 1048576"):
        artifact.load(folder)


PEAK = """
import resource, sys
from pathlib import Path
from glasstape_server.models import artifact

sound, broken = map(Path, sys.argv[1:])
artifact.load(sound)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    artifact.load(broken)
except artifact.ArtifactError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, error)
"""
"""Prints how many MiB more memory an artifact took than a sound one, and why it was refused."""


def test_a_manifest_that_asks_for_more_than_there_is_memory_costs_none(folder):
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["architecture"]["config"]["channels"] = [4096, 4096]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(SOURCE), str(folder)], capture_output=True, text=True, check=True
    )
    more, _, reason = done.stdout.partition(" ")
    assert "tensors differ from the architecture's" in reason
    assert int(more) < 64, "a layer of it alone takes 192 MiB"
    manifest["architecture"]["config"]["channels"] = [16384, 1]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"architecture.config.channels: must be at most 4096"):
        artifact.load(folder)


def test_a_folder_with_the_name_of_a_digest_is_no_version(folder):
    disguised = folder.rename(folder.with_name("a" * 64))
    with pytest.raises(ArtifactError, match="its folder"):
        artifact.load(disguised)


def test_the_archive_holds_the_two_checked_files_of_the_digest_it_is_named_for(folder, bundled, tmp_path):
    (folder / "secrets").symlink_to("/etc")
    (folder / "more.bin").write_bytes(b"x")
    digest = artifact.load(folder).ref.digest
    artifact.copy(folder, tmp_path / "archive" / digest, digest)
    assert {file.name for file in (tmp_path / "archive" / digest).iterdir()} == {MANIFEST, WEIGHTS}
    with pytest.raises(ArtifactError, match="changed after they were checked"):
        artifact.copy(folder, tmp_path / "archive" / "b", "b" * 64)
    assert not (tmp_path / "archive" / "b").exists()
