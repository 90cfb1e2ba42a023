"""A new model version takes over while calls run; a broken one does not."""

import shutil
import threading
import time

import numpy as np
import pytest
from glasstape import Client, ModelState
from glasstape_server.models import artifact
from glasstape_server.models.artifact import WEIGHTS
from markets import open_market
from running import ServerProcess


def put(root, model, version):
    """Drop a version the way an operator does: a copy whose files arrive one after the other."""
    manifest = model.manifest.model_copy(update={"version": version})
    staged = artifact.save(
        root.parent / f"staged-{version}", manifest, model.scorer.network, model.statistics
    )
    target = root / manifest.name / version
    shutil.copytree(staged, target)
    return target


def wait_for(condition):
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.timeout(90)
def test_swapping_fails_no_call_and_a_broken_version_never_serves(tmp_path, bundled):
    root = tmp_path / "models"
    put(root, bundled, "1")
    flags = ("--models-dir", str(root), "--models-poll-interval", "0.1")
    with ServerProcess(tmp_path / "data", *flags) as server, Client(server.address) as client:
        windows = np.random.default_rng(0).normal(size=(4, 6, 8))
        versions, errors, done = [], [], threading.Event()

        def call():
            with Client(server.address) as own:
                while not done.is_set():
                    try:
                        made = own.explain(windows=windows)
                        used = {e.prediction.model.version for e in made}
                        assert len(used) == 1, "one call, one pinned version"
                        versions.append(used.pop())
                    except Exception as error:
                        errors.append(error)

        callers = [threading.Thread(target=call) for _ in range(4)]
        for thread in callers:
            thread.start()
        wait_for(lambda: len(versions) > 20)
        put(root, bundled, "2")
        wait_for(lambda: client.model().ref.version == "2")
        broken = put(root, bundled, "3")
        (broken / WEIGHTS).write_bytes(bytes(100))
        refused = lambda: [m for m in client.models() if m.state is ModelState.REFUSED]  # noqa: E731
        # While its files arrive it may be refused for one that is missing yet.
        wait_for(lambda: any("SHA-256" in m.refusal for m in refused()))
        assert [m.ref.version for m in refused()] == ["3"]
        before = len(versions)
        wait_for(lambda: len(versions) > before + 20)
        done.set()
        for thread in callers:
            thread.join()
    assert errors == []
    assert versions[0] == "1"
    assert versions[-1] == "2"
    assert "3" not in versions
    assert versions.index("2") > 0
    assert "1" not in versions[versions.index("2") + 8 :]


def test_past_signals_reopen_with_their_own_model_after_it_is_gone(tmp_path, spawn, bundled):
    root = tmp_path / "models"
    first = put(root, bundled, "1")
    server = spawn(tmp_path / "data", "--models-dir", str(root))
    with Client(server.address) as client:
        open_market(server, client).close_bar()
        before = client.predict(signals=[1])[0]
        assert before.model.version == "1"
        server.stop()
        shutil.rmtree(first)
        put(root, bundled, "2")
        server.start()
        assert client.model().ref.version == "2"
        assert client.predict(signals=[1])[0] == before
        reopened = client.explain(signals=[1], score="log_probability", method="occlusion")[0]
        assert reopened.prediction == before
        assert reopened.heatmap.values.any()


def test_a_version_whose_files_are_replaced_is_reported_and_serves_on(tmp_path, spawn, bundled):
    root, data = tmp_path / "models", tmp_path / "data"
    put(root, bundled, "1")
    other = bundled.manifest.model_copy(update={"version": "1", "temperature": 2.0})
    replacement = artifact.save(tmp_path / "other", other, bundled.scorer.network, bundled.statistics)
    server = spawn(data, "--models-dir", str(root), "--models-poll-interval", "0.1")

    def states(client):
        return [(m.ref.version, m.state, m.refusal) for m in client.models()]

    with Client(server.address) as client:
        digest = client.model().ref.digest
        shutil.copytree(replacement, root / bundled.manifest.name / "1", dirs_exist_ok=True)
        wait_for(lambda: any("give other files" in reason for _, _, reason in states(client)))
        assert [state for _, state, _ in states(client)] == [ModelState.ACTIVE, ModelState.REFUSED]
        wait_for(lambda: any("sample-conv1d@1: the files" in reason for reason in client.health().reasons))
        assert client.health().serving
        assert client.model().ref.digest == digest
        assert "rejected: the files of sample-conv1d@1 changed after it was loaded" in "".join(server.log)
        server.stop()
        server.log.clear()
        server.start()
        assert client.model().ref.digest == digest
        assert [state for _, state, _ in states(client)] == [ModelState.ACTIVE, ModelState.REFUSED]
        assert "rejected: sample-conv1d@1 served with other files" in "".join(server.log)
