"""Two processes never hold the lease of a folder at once, whatever their hosts' locks and clocks do."""

import time
from dataclasses import replace

import pytest
from glasstape_server.domain.errors import Unavailable
from glasstape_server.storage import lease as module
from glasstape_server.storage.host import HostProcess, this_process
from glasstape_server.storage.lease import Lease, LeaseHeldError, LeaseRecord, read_record

OTHER = HostProcess("other", "boot-of-other", 1, 7)
ENDED = replace(this_process(), pid=2**22 + 1)  # above the largest process number


@pytest.fixture(autouse=True)
def _short_times(monkeypatch):
    for name, seconds in (("RENEW_S", 0.05), ("VALID_S", 0.4), ("TAKEOVER_S", 0.6), ("SETTLE_S", 0.05)):
        monkeypatch.setattr(module, name, seconds)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lease"


def _leave(path, process, renewals=0):
    path.write_bytes(LeaseRecord("00", process, renewals).encoded())


def _eventually(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("shared", [False, True])
def test_a_lease_names_its_process_is_renewed_and_leaves_nothing(path, shared):
    lease = Lease(path, shared=shared)
    first = read_record(path.read_bytes())
    assert (first.process, first.holder) == (this_process(), lease.holder)
    _eventually(lambda: read_record(path.read_bytes()).renewals > 2)
    lease.check()
    lease.release()
    assert not path.exists()


@pytest.mark.parametrize(
    ("left", "shared"),
    [
        (ENDED, True),
        (ENDED, False),
        (replace(OTHER, host=this_process().host), False),  # before this host was restarted
        (replace(this_process(), pid=1, pid_namespace=7), False),  # a container on this host
    ],
)
def test_the_lease_of_an_ended_process_is_taken_over_at_once(path, left, shared):
    _leave(path, left)
    start = time.monotonic()
    Lease(path, shared=shared).release()
    assert time.monotonic() - start < module.TAKEOVER_S


@pytest.mark.parametrize(
    ("left", "shared"),
    [
        (OTHER, False),
        (OTHER, True),
        (replace(OTHER, host=this_process().host), True),
        (replace(this_process(), pid=1, pid_namespace=7), True),
    ],
)
def test_a_lease_that_may_be_of_a_running_process_is_waited_for(path, left, shared):
    _leave(path, left)
    start = time.monotonic()
    lease = Lease(path, shared=shared)
    assert time.monotonic() - start >= module.TAKEOVER_S
    lease.check()
    lease.release()


def test_a_lease_that_is_renewed_is_refused_and_stays(path, monkeypatch):
    _leave(path, OTHER)
    sleep = time.sleep

    def renewed_meanwhile(seconds):
        _leave(path, OTHER, renewals=1)
        sleep(seconds)

    monkeypatch.setattr(module.time, "sleep", renewed_meanwhile)
    with pytest.raises(LeaseHeldError, match=r"^process 1 on host other$"):
        Lease(path, shared=True)
    assert read_record(path.read_bytes()).process == OTHER


def test_a_damaged_lease_is_waited_for_on_shared_storage(path):
    path.write_bytes(b"\xff" * 10)
    start = time.monotonic()
    Lease(path, shared=True).release()
    assert time.monotonic() - start >= module.TAKEOVER_S


def test_a_lease_that_was_taken_over_is_never_valid_again(path):
    lease, lost = Lease(path, shared=True), []
    lease.on_lost = lambda: lost.append(1)
    replacement = path.with_name("new")
    _leave(replacement, OTHER)
    replacement.replace(path)
    _eventually(lambda: lost)
    with pytest.raises(Unavailable, match="taken over by process 1 on host other; this server stops"):
        lease.check()
    lease.release()
    assert read_record(path.read_bytes()).process == OTHER, "it is not ours to remove"


def test_a_lease_that_cannot_be_renewed_ends_and_recovers(path):
    lease = Lease(path, shared=False)
    kept = path.read_bytes()
    path.unlink()
    _eventually(lambda: lease.last_error)
    _eventually(lambda: module.boot_clock() >= lease._valid_until)
    with pytest.raises(Unavailable, match="cannot be renewed: No such file or directory"):
        lease.check()
    copy = path.with_name("copy")
    copy.write_bytes(kept)
    copy.replace(path)  # at once: a lease that is read while it is empty is another one
    _eventually(lambda: not lease.last_error)
    lease.check()
    lease.release()


@pytest.mark.parametrize("happened", ["removed", "replaced", "folder removed", "lease removed"])
def test_nothing_is_acknowledged_while_a_protected_file_is_not_the_one_in_its_folder(
    path, tmp_path, happened
):
    folder = tmp_path / "live"
    folder.mkdir()
    bars = folder / "bars"
    bars.write_bytes(b"bars")
    lease = Lease(path, shared=False)
    try:
        lease.protect([bars])
        lease.check()
        with bars.open("rb"):  # as a database does, so that its inode is not used again
            kept, kept_lease = tmp_path / "kept", tmp_path / "kept-lease"
            if happened == "lease removed":
                path.rename(kept_lease)
            elif happened == "folder removed":
                folder.rename(kept)
            else:
                bars.rename(kept)
            if happened == "replaced":
                bars.write_bytes(b"others")
            named = "lease is no longer" if happened == "lease removed" else "bars "
            with pytest.raises(Unavailable, match=named):
                lease.check()
            _eventually(lambda: lease.last_error)
            (kept_lease if happened == "lease removed" else kept).rename(
                {"lease removed": path, "folder removed": folder}.get(happened, bars)
            )
            _eventually(lambda: not lease.last_error)
            lease.check()
    finally:
        lease.release()
