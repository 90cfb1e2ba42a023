"""Files and folders that are replaced or created whole: a crash or a power cut leaves the old one or the new one.

The steps are always the same: write a draft beside the target, flush it to the disk, rename it, flush the
folder. Drafts have names `.NAME.PROCESS-NUMBER.new`; those that an ended process left are removed before the
next write of the same name.
"""

import errno
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glasstape.replacing import replaceable

from glasstape_server.storage.temporary import is_running

PRIVATE = 0o600
"""Mode of files with secrets: only the owner may read them."""
READABLE = 0o644
"""Mode of other files, less the process's umask."""
GROUP = 0o660
"""Mode of a socket whose callers are authenticated: the group may connect, too."""

OWNER_ONLY = 0o077
"""Umask of a process whose files, databases and folders only its owner may read."""
_GROUP_OR_OTHERS = 0o077
_MORE_THAN_GROUP_READS = 0o037

_numbers = itertools.count()
_drafts: set[Path] = set()
"""Drafts that this process is writing."""


Stamp = tuple[int, int, int, int]
"""Size, modification and change time in nanoseconds, and inode of a file."""


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file, which changes whenever its content does; of a link, its target counts.

    The modification time alone can be set to what it was, as by `touch -r` and `cp -p`.

    Raises:
        OSError: it cannot be examined.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def make_folder(folder: Path) -> None:
    """Create a folder and its parents unless it is there.

    Raises:
        FileExistsError: something else has its name.
        OSError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        reason = "is not a folder"
        if folder.is_symlink():
            missing = "does not exist" if not folder.exists() else "is not a folder"
            reason = f"is a link to {folder.readlink()}, which {missing}"
        raise FileExistsError(errno.EEXIST, reason, str(folder)) from None


def check_writable(path: Path) -> None:
    """Check that this process may read and write a file or folder.

    Raises:
        PermissionError: it may not; the text names user, mode and owner.
    """
    effective = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=effective):
        status = path.stat()
        owner = f"mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}"
        raise PermissionError(
            errno.EACCES, f"user {os.geteuid()} cannot read and write it ({owner})", str(path)
        )


def no_file(path: Path) -> str:
    """Return why a path is not that of a regular file, for a message."""
    if path.is_dir():
        return "is a folder, expected a file"
    return "is not a regular file" if path.exists() else "no such file"


def check_secret(path: Path, prefix: str = "") -> None:
    """Check that other users cannot read or change a file with a secret.

    The rule is PostgreSQL's for its private key: a file of this user must not be accessible to group and others; of a
    file of root, which mounts and configuration management make, the group may have read access.

    Args:
        path: the file; of a link, its target counts.
        prefix: of the message, for example "tls_key: ".

    Raises:
        ValueError: the file breaks the rule; the text says what to run.
        OSError: it cannot be examined.
    """
    if os.name != "posix":
        return
    status, user = path.stat(), os.geteuid()
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"{prefix}{path}: {no_file(path)}")
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (user, 0) and user != 0:
        raise ValueError(f"{prefix}{path}: is owned by user {status.st_uid}; expected user {user} or root")
    if status.st_uid == 0:
        if mode & _MORE_THAN_GROUP_READS:
            raise ValueError(f"{prefix}{path}: has mode {mode:04o}, others may read it; run chmod 640 {path}")
    elif mode & _GROUP_OR_OTHERS:
        raise ValueError(f"{prefix}{path}: has mode {mode:04o}, others may read it; run chmod 600 {path}")


def protect_output(descriptor: int) -> str:
    """Keep other users from reading an open file that a secret is about to be written to.

    An empty file, as a shell's redirection makes it, gets the mode `PRIVATE`. One with content keeps its mode, since
    other users may need to read what is in it.

    Args:
        descriptor: of the file; anything but a regular file is accepted.

    Returns:
        One sentence for the user if the file was or stays readable by others; empty otherwise.
    """
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    if os.name != "posix" or not stat.S_ISREG(status.st_mode) or not mode & _GROUP_OR_OTHERS:
        return ""
    if status.st_size:
        return f"is a file with content and mode {mode:04o}, others may read it"
    try:
        os.fchmod(descriptor, PRIVATE)
    except OSError as error:
        return f"is a file with mode {mode:04o}, others may read it ({error.strerror})"
    return f"is a file that had mode {mode:04o}, now {PRIVATE:04o}: others may not read it"


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write(path: Path, content: bytes | str, *, mode: int = READABLE) -> None:
    """Write a file whole; see `replacing`. Text is written as UTF-8."""
    with replacing(path, mode=mode) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path, *, mode: int = READABLE) -> Iterator[Path]:
    """Yield an empty draft beside `path`; when the block ends, it replaces `path`.

    If the block raises, `path` stays as it was. A file that is replaced keeps its owner, also when root
    replaces it. A link stays: the file that it names is replaced.

    Args:
        path: the file; its folder must exist.
        mode: permissions of the new file, less the process's umask.

    Raises:
        OSError: `path` names a folder, a device, a pipe or a socket, or cannot be replaced.
    """
    path = replaceable(path)
    with _draft_of(path) as draft:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        if path.exists() and (owner := path.stat()).st_uid != os.geteuid():
            os.chown(draft, owner.st_uid, owner.st_gid)
        yield draft
        install(draft, path)


@contextmanager
def creating(folder: Path) -> Iterator[Path]:
    """Yield an empty draft folder beside `folder`; when the block ends, it becomes `folder`.

    If the block raises, there is no folder. Parents are created.

    Raises:
        FileExistsError: `folder` exists.
    """
    if folder.exists():
        raise FileExistsError(f"{folder}: exists already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _draft_of(folder) as draft:
        draft.mkdir()
        yield draft
        install(draft, folder)


def install(draft: Path, path: Path) -> None:
    """Flush a draft, rename it to `path` and flush the folder: from then on it survives a power cut.

    A folder is flushed with everything in it. A file replaces an older one.
    """
    for part in (*draft.rglob("*"), draft):
        sync(part)
    draft.replace(path)
    sync(path.parent)


def restore_draft(folder: Path) -> Path:
    """Return the folder that a backup is restored into before it is renamed to `folder`."""
    return folder.with_name(folder.name + ".restoring")


@contextmanager
def _draft_of(path: Path) -> Iterator[Path]:
    """Yield an unused name beside `path`, and remove what is left under it at the end."""
    for left in path.parent.glob(".*.new"):
        if left not in _drafts and _is_abandoned(left, path):
            _remove(left)
    draft = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}.new")
    _drafts.add(draft)
    try:
        yield draft
    finally:
        _remove(draft)
        _drafts.discard(draft)


def _is_abandoned(draft: Path, path: Path) -> bool:
    """Return whether `draft` is a draft of `path` whose writer has ended."""
    name, _, writer = draft.name.removesuffix(".new").rpartition(".")
    process = writer.partition("-")[0]
    if name != f".{path.name}" or not process.isdigit():
        return False
    # A draft of this process's number that is not its own was left by an earlier process of that number.
    return int(process) == os.getpid() or not is_running(int(process))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
