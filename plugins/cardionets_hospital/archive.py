"""The ECG files below a folder, listed once into a database on disk.

A hospital's archive has any number of files: none of this is held in memory.
"""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cardionets_core.errors import SourceError
from cardionets_core.reading import SNIFFED_BYTES, format_by_content, format_by_ending
from cardionets_core.registry import default_registry
from cardionets_core.source_files import walk

HEADER_ENDING = ".hea"
WFDB = "wfdb"
_DICOM_MARK = slice(128, 132)
_TABLES = """
    CREATE TABLE files (
        id INTEGER PRIMARY KEY, path BLOB, shown TEXT, stem TEXT, format TEXT, header INTEGER
    );
    CREATE TABLE aliases (alias TEXT, name TEXT, file INTEGER, PRIMARY KEY (alias, file));
    CREATE INDEX aliases_by_name ON aliases (name);
    CREATE INDEX headers ON files (stem) WHERE header;
"""
# A signal file is part of the record whose header names it, or has its name.
_OWNERS = f"""
    CREATE TEMPORARY TABLE owners AS
    SELECT signal.id AS signal, COALESCE(
        (SELECT MIN(alias.file) FROM aliases AS alias JOIN files AS header ON header.id = alias.file
            WHERE alias.alias = signal.shown AND header.header),
        (SELECT MIN(header.id) FROM files AS header
            WHERE header.stem = signal.stem AND header.header)
    ) AS header
    FROM files AS signal WHERE signal.format = '{WFDB}' AND NOT signal.header
"""  # noqa: S608 - nothing in it comes from outside


@dataclass(frozen=True, slots=True)
class Archive:
    """The ECG records below a folder.

    Attributes:
        source: The folder.
        database: Table ``files``: a record each, in a stable order, ``path`` as the system has
            it and ``shown`` as text. Table ``aliases``: what else it may be called.
        passed_over: Why files are no record of their own, and how many.
    """

    source: Path
    database: sqlite3.Connection
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        """How many ECG records there are."""
        return int(self.database.execute("SELECT COUNT(*) FROM files").fetchone()[0])

    def find(self, name: str) -> int | None:
        """The record of a path below the folder, or of a bare file name that is unique.

        Args:
            name: With slashes of either kind; of a WFDB record any of its files, or none's ending.

        Raises:
            SourceError: If there are several of that name.
        """
        wanted = PurePosixPath(_composed(name.replace("\\", "/"))).as_posix()
        for column in ("alias", "name") if "/" not in wanted else ("alias",):
            found = self.database.execute(
                f"SELECT DISTINCT file FROM aliases WHERE {column} = ? LIMIT 2",  # noqa: S608
                (wanted,),
            ).fetchall()
            if len(found) > 1:
                raise SourceError("several files of that name; needed the path below the source")
            if found:
                return int(found[0][0])
        return None

    def add_unknown(self, path: Path) -> int:
        """List a file of no known format after all, so that reading it tells why."""
        return self.add(path, "", header=False, others=())

    def add(self, path: Path, format_name: str, *, header: bool, others: tuple[str, ...]) -> int:
        """List one file under its own name and others; its number."""
        below = path.relative_to(self.source).as_posix()
        shown = shown_name(below)
        stem = shown.removesuffix(path.suffix)
        row = (os.fsencode(below), shown, stem, format_name, header)
        added = self.database.execute(
            "INSERT INTO files (path, shown, stem, format, header) VALUES (?, ?, ?, ?, ?)",
            row,
        )
        number = added.lastrowid or 0
        aliases = {shown, *((stem,) if header else ()), *others}
        self.database.executemany(
            "INSERT OR IGNORE INTO aliases VALUES (?, ?, ?)",
            [(a, PurePosixPath(a).name, number) for a in map(_composed, sorted(aliases))],
        )
        return number


def list_archive(source: Path, database: sqlite3.Connection, not_these: set[Path]) -> Archive:
    """Find the ECG records below a folder.

    Args:
        source: The folder.
        database: An empty one, to list them in.
        not_these: Files that are no ECGs, whatever they look like; resolved.

    Raises:
        ConfigError: If there is no such folder.
    """
    database.executescript(_TABLES)
    archive = Archive(source, database)
    formats = default_registry().ecg_formats()
    names = {path.name for path in not_these}

    def refused(reason: str) -> None:
        archive.passed_over[reason] += 1

    for path in walk(source, refused):
        if path.name in names and path.resolve() in not_these:
            refused("the table of labels")
            continue
        head = _head(path)
        found = format_by_content(head, formats)
        if found is None and head[_DICOM_MARK] == b"DICM":
            refused("a DICOM file without an ECG")
            continue
        found = found or format_by_ending(path, formats)
        if found is None:
            refused("no ECG file of a known format")
            continue
        header = found.name == WFDB and path.suffix == HEADER_ENDING
        others = _signal_files(head, path, source) if header else ()
        archive.add(path, found.name, header=header, others=others)
    _join_signal_files(archive)
    return archive


def shown_name(below: str) -> str:
    """A path as text, where the system has bytes that are not UTF-8.

    Old Chinese archives have file names in GB18030.
    """
    for encoding in ("utf-8", "gb18030"):
        try:
            return os.fsencode(below).decode(encoding)
        except UnicodeDecodeError:
            continue
    return os.fsencode(below).decode("latin-1")


def named_beside(header: bytes) -> frozenset[str]:
    """Names of the files beside it that a WFDB header names, as its reader understands them."""
    lines = [line.split() for line in header.decode("ascii", errors="ignore").splitlines()]
    named = (words[0] for words in lines if len(words) > 1 and not words[0].startswith("#"))
    return frozenset(name for name in named if "/" not in name)


def _composed(name: str) -> str:
    # macOS takes accents off their letters.
    return unicodedata.normalize("NFC", name)


def _head(path: Path) -> bytes:
    """The first bytes; none of a file that may not be read, which reading it then reports."""
    try:
        with path.open("rb") as file:
            return file.read(SNIFFED_BYTES)
    except OSError:
        return b""


def _signal_files(head: bytes, path: Path, source: Path) -> tuple[str, ...]:
    """Paths of the signal files that a WFDB header names."""
    folder = shown_name(path.parent.relative_to(source).as_posix())
    return tuple((PurePosixPath(folder) / name).as_posix() for name in named_beside(head))


def _join_signal_files(archive: Archive) -> None:
    """Count a record in several files once, by its header."""
    database = archive.database
    database.execute(_OWNERS)
    database.execute("DELETE FROM owners WHERE header IS NULL")
    database.execute(
        "UPDATE OR REPLACE aliases SET file = (SELECT header FROM owners WHERE signal = file) "
        "WHERE file IN (SELECT signal FROM owners)"
    )
    gone = database.execute("DELETE FROM files WHERE id IN (SELECT signal FROM owners)").rowcount
    database.execute("DROP TABLE owners")
    if gone:
        archive.passed_over["a signal file, counted with its header"] += gone
