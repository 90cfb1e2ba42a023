"""Network and FUSE file systems are recognized by the table of mounts."""

import pytest
from glasstape_server.app import App
from glasstape_server.settings import Settings
from glasstape_server.startup import StartError
from glasstape_server.storage import file_system
from glasstape_server.storage.file_system import FileSystem, file_system_of

TABLE = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / {root}/net rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2
31 30 0:41 / {root}/net/disk rw - xfs /dev/sdb rw
32 22 0:42 / {root}/with\\040blank rw - fuse.sshfs user@host:/a\\040b rw
33 22 0:43 / {root}/twice rw - tmpfs tmpfs rw
34 33 0:44 / {root}/twice rw - cifs //server/share rw
"""


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    for name in ("net/disk", "net/a", "with blank", "twice", "network", "fuse"):
        (tmp_path / name).mkdir(parents=True)
    table = tmp_path / "mountinfo"
    table.write_text(TABLE.format(root=tmp_path))
    return table


@pytest.mark.parametrize(
    ("folder", "type", "source", "shared"),
    [
        ("network", "ext4", "/dev/vda", False),
        ("net", "nfs4", "server:/export", True),
        ("net/a", "nfs4", "server:/export", True),
        ("net/disk", "xfs", "/dev/sdb", False),
        ("with blank", "fuse.sshfs", "user@host:/a b", True),
        ("twice", "cifs", "//server/share", True),
    ],
)
def test_the_innermost_newest_mount_decides(mounts, tmp_path, folder, type, source, shared):
    found = file_system_of(tmp_path / folder, mounts)
    assert (found, found.shared) == (FileSystem(type, source), shared)


def test_a_link_is_followed(mounts, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "net" / "a")
    assert file_system_of(tmp_path / "link", mounts).type == "nfs4"


@pytest.mark.parametrize(
    "type", ["fuse", "fuseblk", "fuse.bindfs", "9p", "virtiofs", "smb3", "ceph", "lustre"]
)
def test_file_systems_of_others_are_shared(type):
    assert FileSystem(type, "x").shared


@pytest.mark.parametrize("type", ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fusectl", "unknown"])
def test_file_systems_of_this_host_are_not_shared(type):
    assert not FileSystem(type, "x").shared


def test_a_server_refuses_a_shared_folder_unless_it_is_allowed(mounts, tmp_path, monkeypatch):
    monkeypatch.setattr(file_system_of, "__defaults__", (mounts,))
    assert file_system.file_system_of(tmp_path / "net").shared
    data = tmp_path / "net" / "data"
    with pytest.raises(
        StartError, match=r"^data_dir: .* is on nfs4 \(server:/export\), a network or FUSE file"
    ):
        App(Settings(data_dir=data, port=0))
    assert list(data.iterdir()) == []
