import shutil

import pytest
from glasstape.cli import main
from glasstape_server.domain.errors import NotFound, Unavailable
from glasstape_server.domain.times import SECOND
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST, WEIGHTS, ArtifactError
from glasstape_server.models.promotion import PROMOTED, promote, promoted
from glasstape_server.models.repository import Repository


@pytest.fixture
def root(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def repository(root, tmp_path):
    return Repository(root, tmp_path / "archive", "1d")


def put(root, bundled, version, name="m"):
    manifest = bundled.manifest.model_copy(update={"name": name, "version": version})
    return artifact.save(root, manifest, bundled.scorer.network, bundled.statistics)


def admit_all(repository):
    return [repository.admit(model) for model in repository.discover()]


def test_the_newest_version_publishes_and_numbers_count_as_numbers(repository, root, bundled):
    with pytest.raises(Unavailable):
        repository.active  # noqa: B018
    for version in ("2", "10", "9"):
        put(root, bundled, version)
    admit_all(repository)
    assert repository.active.ref.version == "10"
    assert [m.ref.version for m in repository.models()] == ["10", "9", "2"]
    assert repository.get("m").ref.version == "10"
    assert repository.get("m@2").ref.version == "2"


def test_the_error_for_an_unknown_model_lists_the_loaded_ones(repository, root, bundled):
    put(root, bundled, "1")
    admit_all(repository)
    with pytest.raises(NotFound, match="m@1"):
        repository.get("x")


def test_a_broken_version_is_rejected_until_its_files_change(repository, root, bundled):
    put(root, bundled, "1")
    broken = put(root, bundled, "2")
    good = (broken / WEIGHTS).read_bytes()
    (broken / WEIGHTS).write_bytes(good[:-1])
    admit_all(repository)
    assert repository.active.ref.version == "1"
    (refusal,) = repository.refusals()
    assert (refusal.name, refusal.version) == ("m", "2")
    assert "SHA-256" in refusal.reason
    assert repository.discover() == []
    (broken / WEIGHTS).write_bytes(good)
    assert admit_all(repository) == [True]
    assert repository.active.ref.version == "2"
    assert repository.refusals() == []


def test_the_preferred_name_publishes(root, tmp_path, bundled):
    repository = Repository(root, tmp_path / "archive", "1d", preferred="z")
    put(root, bundled, "1", "a")
    put(root, bundled, "1", "z")
    admit_all(repository)
    assert repository.active.ref.name == "z"


def test_a_pinned_version_stays_active(root, tmp_path, bundled):
    repository = Repository(root, tmp_path / "archive", "1d", preferred="m@1")
    put(root, bundled, "1")
    put(root, bundled, "2")
    admit_all(repository)
    assert repository.active.ref.version == "1"


def test_a_removed_model_that_published_is_loaded_from_the_archive(repository, root, tmp_path, bundled):
    folder = put(root, bundled, "1")
    admit_all(repository)
    digest = repository.active.ref.digest
    shutil.rmtree(folder)
    later = Repository(root, tmp_path / "archive", "1d")
    assert later.by_digest(digest).ref.digest == digest
    (tmp_path / "archive" / digest / MANIFEST).unlink()
    with pytest.raises(NotFound):
        Repository(root, tmp_path / "archive", "1d").by_digest(digest)


def test_a_model_for_other_bars_serves_and_does_not_publish(repository, root, bundled):
    manifest = bundled.manifest.model_copy(update={"name": "a", "version": "1", "interval": "1m"})
    artifact.save(root, manifest, bundled.scorer.network, bundled.statistics)
    admit_all(repository)
    assert [m.ref.name for m in repository.models()] == ["a"]
    with pytest.raises(Unavailable, match="1d bars"):
        repository.active  # noqa: B018
    put(root, bundled, "1", "b")
    admit_all(repository)
    assert repository.active.ref.name == "b"


def test_a_version_that_cannot_be_archived_is_retried(repository, root, bundled):
    put(root, bundled, "1")
    repository.archive.write_text("not a folder")
    with pytest.raises(OSError, match=repository.archive.name):
        admit_all(repository)
    repository.archive.unlink()
    assert admit_all(repository) == [True]


def test_invalid_entries_of_the_folder_are_rejected_and_other_models_load(repository, root, bundled):
    put(root, bundled, "1")
    (root / "file.txt").write_text("x")
    (root / "m" / "²").mkdir()
    (root / "m" / "2").mkdir()
    (root / "m" / "2" / WEIGHTS).symlink_to("/nonexistent")
    admit_all(repository)
    assert repository.active.ref.version == "1"
    assert {r.version for r in repository.refusals()} == {"2", "²"}


def test_a_promoted_version_publishes_until_another_is(repository, root, bundled, tmp_path):
    for version in ("1", "2"):
        put(root, bundled, version)
    put(root, bundled, "1", "a")
    admit_all(repository)
    assert repository.active.ref.name == "a"
    assert promote(root, "m@1") == ""
    assert repository.follow_promotion()
    assert (repository.active.ref.name, repository.active.ref.version) == ("m", "1")
    assert not repository.follow_promotion()
    assert promote(root, "m@2") == "m@1"
    reopened = Repository(root, tmp_path / "archive", "1d")
    admit_all(reopened)
    assert reopened.active.ref.version == "2"
    pinned = Repository(root, tmp_path / "archive", "1d", preferred="a")
    admit_all(pinned)
    assert pinned.active.ref.name == "a", "the preferred name takes precedence over the promoted one"


@pytest.mark.parametrize("model", ["m@9", "m", "@1", "../m@1", "m@../1"])
def test_an_unknown_model_cannot_be_promoted(root, bundled, model):
    put(root, bundled, "1")
    with pytest.raises(ArtifactError, match="model: "):
        promote(root, model)
    assert promoted(root) == ""


def test_a_damaged_version_cannot_be_promoted(root, bundled):
    folder = put(root, bundled, "1")
    (folder / WEIGHTS).write_bytes(b"no")
    with pytest.raises(ArtifactError, match="SHA-256"):
        promote(root, "m@1")


def test_the_command_promotes_and_lists_the_versions(root, bundled, capsys):
    put(root, bundled, "1")
    assert main(["models", "promote", "m@1", "--models", str(root)]) == 0
    assert "promoted m@1 (before: none)" in capsys.readouterr().out
    assert main(["models", "promote", "m@7", "--models", str(root)]) == 1
    assert "versions: m@1" in capsys.readouterr().err
    assert main(["models", "promote", "--models", str(root)]) == 2


def test_a_promotion_that_cannot_be_followed_is_reported_and_the_active_model_stays(
    repository, root, bundled, tmp_path
):
    put(root, bundled, "1")
    put(root, bundled, "2")
    promote(root, "m@1")
    assert oct((root / PROMOTED).stat().st_mode)[-3:] in ("644", "664")
    admit_all(repository)
    shutil.rmtree(root / "m" / "1")
    assert not repository.follow_promotion(), "the active model must stay active"
    reopened = Repository(root, tmp_path / "archive", "1d")
    admit_all(reopened)
    assert reopened.active.ref.version == "2"
    (refusal,) = reopened.refusals()
    assert "PROMOTED names m@1, which is not ready for 1d bars; ready: m@2" in refusal.reason
    (root / PROMOTED).write_bytes(b"\xff\xff")
    reopened.follow_promotion()
    assert "cannot be read" in reopened.refusals()[0].reason
    assert promote(root, "m@2") == ""
    assert not reopened.follow_promotion()
    assert reopened.refusals() == []


def test_the_end_of_the_training_data_is_known_while_a_model_serves_and_from_the_archive(
    repository, root, bundled, tmp_path
):
    put(root, bundled, "1")
    admit_all(repository)
    digest, last = repository.active.ref.digest, bundled.manifest.data.validation.last_close
    end, symbol = int(last.timestamp() * SECOND), bundled.manifest.data.symbols[0]
    assert repository.was_trained_on(digest, symbol, end)
    assert not repository.was_trained_on(digest, symbol, end + 1)
    shutil.rmtree(root / "m")
    archived = Repository(root, tmp_path / "archive", "1d")
    assert archived.was_trained_on(digest, symbol, end)
    assert not archived.was_trained_on(digest, symbol, end + 1)
    assert not repository.was_trained_on("0" * 64, symbol, end)


def test_a_symbol_that_is_not_in_the_training_data_is_out_of_sample_on_every_date(repository, root, bundled):
    put(root, bundled, "1")
    admit_all(repository)
    digest, data = repository.active.ref.digest, bundled.manifest.data
    inside = int(data.training.last_close.timestamp() * SECOND)
    assert all(repository.was_trained_on(digest, symbol, inside) for symbol in data.symbols)
    assert not repository.was_trained_on(digest, "005930", inside)
