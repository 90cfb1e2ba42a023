"""Databases are opened with a write-ahead log, or not at all."""

import os
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from glasstape_server.domain.errors import Unavailable
from glasstape_server.storage.fence import Fence
from glasstape_server.storage.host import HostProcess
from glasstape_server.storage.sqlite import connect, transaction


def test_a_database_without_a_write_ahead_log_is_refused(tmp_path):
    with closing(connect(tmp_path / "db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    with pytest.raises(
        OSError, match="journal mode is memory, expected wal: the file system does not support"
    ):
        connect(Path(":memory:"))  # which has none, as file systems without shared memory


class Holder:
    """A lease that is valid until it is lost."""

    def __init__(self, name):
        self.holder, self.process = name, HostProcess(f"host-{name}", "boot", 7, 0)

    def protect(self, paths):
        self.protected = list(paths)

    def check(self):
        pass


def test_a_transaction_of_an_earlier_holder_fails_and_writes_nothing(tmp_path):
    with closing(connect(tmp_path / "db")) as one, closing(connect(tmp_path / "db")) as two:
        one.execute("CREATE TABLE bars (close REAL)")
        first = Fence(one, Holder("a"))
        _write(one, first, 1)
        Fence(two, Holder("b"))
        with pytest.raises(Unavailable, match="taken over by process 7 on host host-b"):
            _write(one, first, 2)
        assert two.execute("SELECT close FROM bars").fetchall() == [(1.0,)]


def test_a_database_protects_its_file_and_its_log(tmp_path):
    with closing(connect(tmp_path / "db")) as db:
        holder = Holder("a")
        Fence(db, holder)
        assert holder.protected == [tmp_path / "db", tmp_path / "db-wal"]
        assert all(path.exists() for path in holder.protected)


def _write(db, fence, close):
    with transaction(db):
        db.execute("INSERT INTO bars VALUES (?)", (close,))
        fence.check_transaction()


@contextmanager
def as_other_user(folder):
    """Give a folder to a user without privileges, and become that user."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("file", "mode"), [("db", 0o000), ("db", 0o400), ("db-wal", 0o200), (".", 0o500)], ids=str
)
def test_a_database_that_may_not_be_written_is_named_with_its_mode(file, mode):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(connect(folder / "db")) as db:
            db.execute("CREATE TABLE t (n)")
            (folder / file).chmod(mode)
            with as_other_user(folder), pytest.raises(PermissionError) as error:
                connect(folder / "db")
            assert error.value.filename == str(folder / file)
            assert f"cannot read and write it (mode {mode:04o}, owner " in str(error.value)
            folder.chmod(0o700)
