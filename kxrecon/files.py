"""Files that kxrecon writes: as a whole or not at all, never over what is somebody else's; and files that somebody
named: what the system refuses of one becomes an error that names it and says what to do.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kxrecon.errors import FileError

_REMEDIES = {
    errno.EACCES: "it takes another right, or another place",
    errno.EPERM: "it takes another right, or another place",
    errno.EDQUOT: "make room, or name another place",
    errno.EEXIST: "a file of that name is in the way: name another folder",
    errno.EISDIR: "name a file, not a folder",
    errno.ENAMETOOLONG: "name a shorter one",
    errno.ENOENT: "is the name right?",
    errno.ENOSPC: "make room, or name another place",
    errno.ENOTDIR: "a part of the path is a file: name another place",
    errno.EROFS: "name another place",
}
REFUSED = frozenset((*_REMEDIES, errno.EFBIG, errno.EIO, errno.ELOOP))
"""What only files, disks and outputs answer, no network."""
_HEAD = 8192  # octets in which a file of ours says what it is


def why(error: OSError) -> str:
    """What the system said, and what to do about it."""
    said = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{said} ({remedy})" if remedy else said


@contextmanager
def named(what: str) -> Iterator[None]:
    """Around work on one file: FileError instead of OSError. ``what`` names it: ``the plan x.json cannot be saved``."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{what}: {why(error)}") from error


def write_private(path: Path, text: str, *, mark: str = "", what: str = "") -> None:
    """Replace a file atomically with mode 0600; its folder is made if need be.

    What is there already is replaced if it is empty or a file of ours, which has ``mark`` at its head (without a
    mark, any file); a pipe, a terminal and /dev/null are written to. Raises FileError; ``what`` names the file in it.
    """
    with named(f"{what or path} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_ours(path, mark, what):
            _replace(path, text)
        else:
            path.write_text(text, encoding="utf-8")


def write_public(path: Path, text: str, *, mark: str = "", what: str = "") -> None:
    """The same for a file that others are to read: with the mode that new files have here."""
    with named(f"{what or path} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        _is_ours(path, mark, what)
        path.write_text(text, encoding="utf-8")


def _is_ours(path: Path, mark: str, what: str) -> bool:
    """True if the path may be replaced, False if it is no file but can be written to. FileError for anything else."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or Path("/dev") in path.absolute().parents:
        return False
    if not stat.S_ISREG(mode):
        raise FileError(f"{what or path} cannot be written: it is no file, so it was left alone (name another one)")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head and mark.encode() not in head:
        raise FileError(
            f"{what or path} cannot be written: there is another file of that name, which is not kxrecon's, so it was "
            "left alone (name another one)"
        )
    return True


def _replace(path: Path, text: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def appending(path: Path) -> Iterator[int]:
    """A private file, made with its folder if need be, open to be appended to by one writer at a time. OSError if it
    is no file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no file (name another one)", str(path))
        _alone(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _alone(descriptor: int) -> None:
    """One writer at a time, on systems that can say so; the system frees the file when it is closed."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - not on this system
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def append(descriptor: int, text: bytes) -> None:
    """All of it at the end of the file and on the disk, or OSError and nothing of it. A disk that is nearly full takes
    a part without complaint: only asked for the rest does it say so."""
    before = os.fstat(descriptor).st_size
    try:
        while text:
            text = text[os.write(descriptor, text) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


def ends_in_line(descriptor: int) -> bool:
    """Whether the next octet begins a line."""
    size = os.fstat(descriptor).st_size
    return not size or os.pread(descriptor, 1, size - 1) == b"\n"
