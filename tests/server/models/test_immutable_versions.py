"""A version names the same files for good: while it serves, and for later servers on the data folder."""

import json
import os
import shutil

import pytest
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST, WEIGHTS
from glasstape_server.models.repository import Repository


@pytest.fixture
def root(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def open_repository(root, tmp_path):
    """Makes repositories of servers that run one after the other."""
    return lambda: Repository(root, tmp_path / "archive", "1d")


def put(root, bundled, version="1", name="m", temperature=1.0):
    """Write a version; another temperature makes other files."""
    manifest = bundled.manifest.model_copy(
        update={"name": name, "version": version, "temperature": temperature}
    )
    shutil.rmtree(root / name / version, ignore_errors=True)
    return artifact.save(root, manifest, bundled.scorer.network, bundled.statistics)


def admit_all(repository):
    for model in repository.discover():
        repository.admit(model)
    return {f"{m.ref.name}@{m.ref.version}": m.ref.digest for m in repository.models()}


def test_other_files_of_a_serving_version_are_refused_until_the_first_are_back(
    root, bundled, open_repository
):
    repository = open_repository()
    put(root, bundled)
    before = admit_all(repository)
    put(root, bundled, temperature=2.0)
    assert admit_all(repository) == before
    (refusal,) = repository.refusals()
    assert (refusal.name, refusal.version) == ("m", "1")
    assert refusal.reason.startswith(
        f"the files of m@1 changed after it was loaded (digest {before['m@1'][:12]}"
    )
    assert refusal.reason.endswith("give other files a new version")
    assert repository.discover() == []
    assert repository.refusals() == [refusal]
    put(root, bundled)
    assert admit_all(repository) == before
    assert repository.refusals() == []


@pytest.mark.parametrize("published", [True, False])
def test_a_later_server_refuses_other_files_and_serves_what_has_published(
    root, bundled, open_repository, published
):
    put(root, bundled, name="m" if published else "z")
    put(root, bundled, name="n")
    before = admit_all(open_repository())
    name = "m" if published else "z"
    put(root, bundled, name=name, temperature=2.0)
    later = open_repository()
    after = admit_all(later)
    (refusal,) = later.refusals()
    assert (refusal.name, refusal.version) == (name, "1")
    assert f"{name}@1 served with other files (digest {before[f'{name}@1'][:12]}" in refusal.reason
    expected = before if published else {"n@1": before["n@1"]}
    assert after == expected, "only a version that has published is archived"
    assert later.discover() == []


def test_files_that_are_only_copied_again_or_removed_change_nothing(root, bundled, open_repository):
    repository = open_repository()
    folder = put(root, bundled)
    before = admit_all(repository)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    assert admit_all(repository) == before
    shutil.rmtree(folder)
    assert admit_all(repository) == before
    assert repository.refusals() == []


def test_other_files_that_keep_size_and_time_are_noticed(root, bundled, open_repository):
    repository = open_repository()
    folder = put(root, bundled)
    before = admit_all(repository)
    assert repository.discover() == []
    weights = folder / WEIGHTS
    status, content = weights.stat(), bytearray(weights.read_bytes())
    content[-1] ^= 1
    with weights.open("r+b") as file:
        file.write(content)
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert admit_all(repository) == before
    assert "m@1 changed after it was loaded" in repository.refusals()[0].reason


def test_a_serving_version_whose_files_are_damaged_is_refused_and_serves_on(root, bundled, open_repository):
    repository = open_repository()
    folder = put(root, bundled)
    before = admit_all(repository)
    (folder / WEIGHTS).write_bytes(b"no")
    assert admit_all(repository) == before
    assert "m@1 changed after it was loaded: weights.safetensors" in repository.refusals()[0].reason
    later = open_repository()
    assert admit_all(later) == before, "the archived files serve"
    assert "SHA-256" in later.refusals()[0].reason


def test_a_version_that_never_served_may_be_corrected(root, bundled, open_repository):
    repository = open_repository()
    put(root, bundled)
    repository.discover()
    put(root, bundled, temperature=2.0)
    admit_all(repository)
    assert repository.models()[0].manifest.temperature == 2.0
    assert repository.refusals() == []


def test_a_damaged_archived_copy_is_named_beside_the_refusal(root, bundled, open_repository, tmp_path):
    put(root, bundled)
    digest = admit_all(open_repository())["m@1"]
    put(root, bundled, temperature=2.0)
    (tmp_path / "archive" / digest / WEIGHTS).write_bytes(b"no")
    later = open_repository()
    assert admit_all(later) == {}
    assert "served with other files" in later.refusals()[0].reason
    assert "archived copy: weights.safetensors" in later.refusals()[0].reason


def test_an_archive_without_the_list_knows_what_it_holds(root, bundled, open_repository, tmp_path):
    put(root, bundled)
    before = admit_all(open_repository())
    (tmp_path / "archive" / "versions.json").unlink()
    broken = tmp_path / "archive" / ("0" * 64)
    broken.mkdir()
    (broken / MANIFEST).write_text("no")
    put(root, bundled, temperature=2.0)
    later = open_repository()
    assert admit_all(later) == before
    assert "served with other files" in later.refusals()[0].reason
    listed = json.loads((tmp_path / "archive" / "versions.json").read_text())
    assert listed == before


@pytest.mark.parametrize("content", ["{", "[]", '{"m@1": 1}'])
def test_a_damaged_list_stops_the_start(open_repository, tmp_path, content):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "versions.json").write_text(content)
    with pytest.raises(ValueError, match=r"versions.json: must be .*; restore it from a backup"):
        open_repository()
