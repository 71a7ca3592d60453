"""Files of a source that is not ours to trust: nothing outside of it is read, nothing without end.

Archives are read in memory, member by member, and never unpacked to disk.
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Literal

from cardionets_core.errors import ConfigError, SourceError

MOST_MEMBERS = 20_000
MOST_MEMBER_BYTES = 256 << 20
MOST_ARCHIVE_BYTES = 4 << 30
_MOST_DEPTH = 64
_ENCRYPTED = 0x1
_UNREADABLE = (
    EOFError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


Refused = Callable[[str], None]


def walk(source: Path, on_refused: Refused = lambda _: None) -> Iterator[Path]:
    """Every file below a folder, in a stable order.

    Links are followed as long as they stay below the folder, and each folder is visited once.

    Args:
        source: The folder.
        on_refused: Called with the reason for every entry that is passed over: it leads out of
            the folder, or it cannot be listed.

    Yields:
        Paths that begin with ``source``.

    Raises:
        ConfigError: If there is no such folder.
    """
    if not source.is_dir():
        raise ConfigError(f"source {source}: no such folder; needed one that holds the data")
    yield from _Walk(source.resolve(), on_refused).below(source, _MOST_DEPTH)


class _Walk:
    """One walk through a folder, which remembers where it has been."""

    def __init__(self, root: Path, on_refused: Refused) -> None:
        self._root = root
        self._on_refused = on_refused
        self._visited: set[Path] = set()

    def below(self, folder: Path, depth: int) -> Iterator[Path]:
        real = folder.resolve()
        if real in self._visited:
            return
        self._visited.add(real)
        try:
            # A folder of a million files is a million names, and would be a million paths.
            names = sorted(os.listdir(folder))  # noqa: PTH208 - see above
        except OSError:
            self._on_refused("a folder that cannot be listed")
            return
        if depth == 0:
            self._on_refused("a folder that lies too deep")
            return
        for name in names:
            path = folder / name
            kind = self._kind(path)
            if kind == "folder":
                yield from self.below(path, depth - 1)
            elif kind == "file":
                yield path

    def _kind(self, path: Path) -> Literal["folder", "file", "other"]:
        try:
            if path.is_symlink() and not path.resolve().is_relative_to(self._root):
                self._on_refused("a link that leads out of the source")
                return "other"
            if path.is_dir():
                return "folder"
            return "file" if path.is_file() else "other"
        except (OSError, RuntimeError):
            self._on_refused("cannot be looked at")
            return "other"


def inside(source: Path, relative: str) -> Path:
    """The path of a file that a table or a header names, if it lies in the source.

    Args:
        source: The folder.
        relative: Path below it, with slashes of either kind.

    Raises:
        SourceError: If it is absolute, leads out of the folder, directly or through a link, or is
            not a path.
    """
    if not _is_below(relative):
        raise SourceError("a path that leads out of the source; needed one below it")
    path = source / PureWindowsPath(relative).as_posix()
    try:
        below = path.resolve().is_relative_to(source.resolve())
    except (OSError, RuntimeError, ValueError):
        below = False
    if not below:
        raise SourceError("a link that leads out of the source; needed the file itself below it")
    return path


@dataclass(frozen=True, slots=True)
class Archive:
    """An open zip file whose members are read within bounds.

    Attributes:
        names: Every member that is a file, in the order of the archive.
    """

    names: tuple[str, ...]
    _file: zipfile.ZipFile

    def open(self, name: str) -> BinaryIO:
        """Open one member; see ``read`` for what it may be."""
        return io.BytesIO(self.read(name))

    def read(self, name: str, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        """Read one member.

        Args:
            name: One of ``names``.
            most_bytes: More are refused, whatever the archive says that there are.

        Raises:
            SourceError: If it is larger, encrypted, damaged, or packed in an unknown way.
        """
        try:
            with self._file.open(name) as member:
                data = member.read(most_bytes + 1)
        except _UNREADABLE as error:
            raise SourceError(
                f"a member of the zip file cannot be read ({type(error).__name__}); copy it again"
            ) from None
        if len(data) > most_bytes:
            raise SourceError(f"a member of the zip file is larger than {most_bytes} bytes")
        return data


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip file.

    Raises:
        SourceError: If it is no whole zip file, or one that means harm: absolute paths or ``..`` in
            names, more than 20,000 members or 4 GiB unpacked, or encryption.
    """
    try:
        file = zipfile.ZipFile(path)
    except _UNREADABLE as error:
        raise SourceError(
            f"not a whole zip file ({type(error).__name__}); copy or download it again"
        ) from None
    with file:
        members = file.infolist()
        _check(members)
        yield Archive(tuple(m.filename for m in members if not m.is_dir()), file)


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_MEMBERS:
        raise SourceError(f"a zip file of {len(members)} members; needed at most {MOST_MEMBERS}")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_ARCHIVE_BYTES or any(m.file_size > MOST_MEMBER_BYTES for m in members):
        raise SourceError(
            f"a zip file that unpacks to {unpacked} bytes; needed at most {MOST_ARCHIVE_BYTES}, "
            f"and {MOST_MEMBER_BYTES} a member: is it a zip bomb?"
        )
    if not all(_is_below(member.filename) for member in members):
        raise SourceError("a zip file with names that lead out of it; needed plain names")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise SourceError("an encrypted zip file; needed one without a password: unpack it first")


def _is_below(name: str) -> bool:
    """Whether a relative name stays where it is put, on any system."""
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    rooted = windows.drive or windows.root or posix.is_absolute()
    return bool(name) and "\0" not in name and not rooted and ".." not in windows.parts
