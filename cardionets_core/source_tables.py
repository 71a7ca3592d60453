"""Tables of a source: delimited text of any size, read row by row, and looked up on disk.

Nothing here holds a table in memory: a biobank's export has gigabytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cardionets_core.errors import SourceError

if TYPE_CHECKING:
    from _csv import Reader

_SAMPLE_BYTES = 1 << 22
_LONGEST_FIELD = 1 << 24
_DELIMITERS = (",", "\t", ";", "|")
# Chinese hospitals export in GB18030, of which GBK and GB2312 are parts.
_ENCODINGS = ("utf-8", "gb18030")
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_UNREADABLE = (OSError, EOFError, UnicodeError, zlib.error)
# Stands behind the last line of a file; in a quote that nobody closed it becomes a part of a cell.
_END = "\0end"


class Line(NamedTuple):
    """One row of a table.

    Attributes:
        number: Line of the file that it ends in, from 1.
        cells: Its cells, as many as the header has; absent ones are empty.
    """

    number: int
    cells: tuple[str, ...]


class Table:
    """A delimited text file with a header: ``.csv``, ``.tsv``, ``.txt``, each also as ``.gz``.

    Encoding (UTF-8 with or without mark, UTF-16 with mark, GB18030) and delimiter (comma, tab,
    semicolon, bar) are found out from the first 4 MiB.

    Args:
        path: The file.

    Raises:
        SourceError: If it cannot be read or has no header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        sample = self._sample()
        self._encoding = _encoding_of(sample, path)
        text = sample.decode(self._encoding, errors="ignore")
        first = next((line for line in text.splitlines() if line.strip()), "")
        self._delimiter = max(_DELIMITERS, key=first.count)
        self.header = self._header()

    def rows(self) -> Iterator[Line]:
        """Every row below the header; empty lines are passed over.

        Raises:
            SourceError: If the file breaks off or is damaged, a row has more cells than the
                header, or a quote is opened and not closed.
        """
        with self._reader() as reader:
            next((cells for cells in reader if any(cells)), None)
            for cells in reader:
                if not any(cells) or cells == [_END]:
                    continue
                if cells[-1].endswith(_END):
                    raise SourceError(
                        f"{self.path.name}: a quote is opened and never closed, which hides the "
                        "rows behind it; needed quotes in pairs: correct the cell that begins with "
                        "one"
                    )
                if len(cells) > len(self.header) and any(cells[len(self.header) :]):
                    raise SourceError(
                        f"{self.path.name}, line {reader.line_num}: {len(cells)} cells under "
                        f"{len(self.header)} headings; is a delimiter or a quote out of place?"
                    )
                padded = (*cells, *[""] * (len(self.header) - len(cells)))
                yield Line(reader.line_num, padded[: len(self.header)])

    def place(self, *names: str) -> int | None:
        """Place of the first of these columns that there is, in any case; None if there is none.

        Raises:
            SourceError: If it is there twice.
        """
        lower = [heading.lower() for heading in self.header]
        found = next((name for name in names if name.lower() in lower), None)
        if found is None:
            return None
        if lower.count(found.lower()) > 1:
            raise SourceError(
                f"{self.path.name}: column {found!r} is there {lower.count(found.lower())} times; "
                "needed it once: remove or rename the others"
            )
        return lower.index(found.lower())

    def require(self, *names: str) -> int:
        """Place of the first of these columns that there is, in any case.

        Raises:
            SourceError: If there is none, or it is there twice.
        """
        found = self.place(*names)
        if found is None:
            raise SourceError(
                f"{self.path.name}: no column {' or '.join(map(repr, names))} among "
                f"{len(self.header)}; needed it: is it the right table?"
            )
        return found

    def _header(self) -> tuple[str, ...]:
        with self._reader() as reader:
            cells = next((cells for cells in reader if any(cells)), [_END])
        if cells == [_END]:
            raise SourceError(f"{self.path.name}: an empty table; needed a row of headings")
        return tuple(cell.strip() for cell in cells)

    def _sample(self) -> bytes:
        with _in_one_line(self.path):
            is_stream = self.path.exists() and not (self.path.is_file() or self.path.is_dir())
        if is_stream:
            raise SourceError(
                f"{self.path.name}: a pipe or device; needed a file, for it is read more than once"
            )
        with _in_one_line(self.path), _opened(self.path) as file:
            return file.read(_SAMPLE_BYTES)

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        # Fields of a biobank's lists are longer than csv's own limit.
        csv.field_size_limit(_LONGEST_FIELD)
        with (
            _in_one_line(self.path),
            _opened(self.path) as file,
            io.TextIOWrapper(file, encoding=self._encoding, newline="") as text,
        ):
            yield csv.reader(itertools.chain(text, [_END]), delimiter=self._delimiter)


def read_keys(path: Path) -> Iterator[str]:
    """The first cell of every line of a one-column list, with or without a heading.

    Raises:
        SourceError: If it cannot be read.
    """
    table = Table(path)
    yield table.header[0]
    for line in table.rows():
        yield line.cells[0].strip()


def new_private_database() -> sqlite3.Connection:
    """An empty SQLite database on disk that nobody else can open, and that is gone once closed.

    For looking rows up by key without holding a table in memory. It lies where temporary files lie
    (``SQLITE_TMPDIR``, ``TMPDIR``) and takes about the room of what is put into it. To be closed by
    the caller, or with the process.
    """
    # An empty name is SQLite's own way to ask for a temporary file that is deleted on closing.
    connection = sqlite3.connect("", factory=_PrivateConnection)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("PRAGMA cache_size = -8192")
    return connection


class _PrivateConnection(sqlite3.Connection):
    """Tells in one line of a disk that is full where temporary files lie."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        with _full_disk_in_one_line():
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        with _full_disk_in_one_line():
            return super().executemany(*arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        with _full_disk_in_one_line():
            return super().executescript(*arguments)

    def commit(self) -> None:
        with _full_disk_in_one_line():
            super().commit()


@contextmanager
def _full_disk_in_one_line() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            raise
        raise SourceError(
            "the disk of temporary files is full or cannot be written to; needed room for the "
            "tables' rows: free some, or let TMPDIR name a folder with more"
        ) from error


def _encoding_of(sample: bytes, path: Path) -> str:
    for mark, encoding in _MARKS.items():
        if sample.startswith(mark):
            return encoding
    # A character that the end of the sample cuts in two is no fault.
    whole = sample if len(sample) < _SAMPLE_BYTES else sample[: sample.rfind(b"\n") + 1]
    for encoding in _ENCODINGS:
        try:
            whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise SourceError(
        f"{path.name}: neither UTF-8 nor GB18030 text; needed one of them: save it as CSV in UTF-8"
    )


def _opened(path: Path) -> io.BufferedReader:
    if path.suffix.lower() == ".gz":
        return io.BufferedReader(gzip.open(path))
    return path.open("rb")


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        # Its words are the module's own, and never those of a cell.
        raise SourceError(
            f"{path.name}: its cells cannot be told apart ({error}); needed delimited text: is a "
            "quote out of place?"
        ) from None
    except _UNREADABLE as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else ""
        raise SourceError(
            f"{path.name}: cannot be read ({told or type(error).__name__}); needed a whole table "
            "as delimited text that you may read"
        ) from None
