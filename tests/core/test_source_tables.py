"""Tables of a source."""

from __future__ import annotations

import gzip
import os
from contextlib import closing

import pytest

from cardionets_core.errors import SourceError
from cardionets_core.source_tables import Table, new_private_database, read_keys


def cells(table):
    return [line.cells for line in table.rows()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_out(tmp_path, encoding, delimiter):
    text = f"file{delimiter}label\na.xml{delimiter}心房颤动\nb.xml{delimiter}正常\n"
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    table = Table(path)
    assert table.header == ("file", "label")
    assert cells(table) == [("a.xml", "心房颤动"), ("b.xml", "正常")]


def test_rows_are_padded_and_know_their_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b,c\n\n1\n"2\n2",,\n3,4,5,,\n')
    assert [tuple(line) for line in Table(path).rows()] == [
        (3, ("1", "", "")),
        (5, ("2\n2", "", "")),
        (6, ("3", "4", "5")),
    ]


def test_more_cells_than_headings_are_refused_with_their_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n1,2,3\n")
    with pytest.raises(SourceError, match=r"t\.csv, line 3: 3 cells under 2 headings"):
        cells(Table(path))


@pytest.mark.parametrize("tail", ["", "\n"])
def test_a_quote_that_nobody_closes_hides_no_rows(tmp_path, tail):
    path = tmp_path / "t.csv"
    path.write_text(f'a,b\n1,"2\n3,4\n5,6{tail}')
    with pytest.raises(SourceError, match="a quote is opened and never closed"):
        cells(Table(path))
    path.write_text(f'a,b\n1,2\n3,"4"{tail}')
    assert cells(Table(path)) == [("1", "2"), ("3", "4")]


def test_a_cell_without_end_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,{'x' * ((1 << 24) + 1)}\n")
    with pytest.raises(SourceError, match=r"t\.csv: its cells cannot be told apart \(field larger"):
        cells(Table(path))


def test_a_needed_column_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("file,label,Label,x,x\n1,2,3,4,5\n")
    table = Table(path)
    with pytest.raises(SourceError, match=r"column 'label' is there 2 times; needed it once"):
        table.place("label")
    assert table.require("file") == 0


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(SourceError, match="a pipe or device; needed a file"):
        Table(tmp_path / "t.csv")


def test_a_full_disk_of_temporary_files_is_one_clear_line():
    with closing(new_private_database()) as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("PRAGMA max_page_count = 10")
        with pytest.raises(SourceError, match=r"temporary files is full .*TMPDIR"):
            database.executemany("INSERT INTO t VALUES (?)", (("x" * 1000,) for _ in range(999)))


def test_gzipped_tables_are_read(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert cells(Table(path)) == [("1", "2")]
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-30])
    with pytest.raises(SourceError, match="cannot be read"):
        cells(Table(path))


def test_long_lists_in_a_cell_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"eid,p41270\n1,{'I251|' * 100_000}\n")
    assert len(cells(Table(path))[0][1]) == 500_000


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"", "empty table"), (b"\n\n", "empty table"), (b"a,b\n\xff\xff\xff", "neither UTF-8")],
)
def test_what_is_no_table_is_refused(tmp_path, data, told):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=told):
        Table(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        Table(tmp_path / "t.csv")


def test_columns_are_found_in_any_case(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("File_Name,label\n1,2\n")
    table = Table(path)
    assert (table.require("path", "file_name"), table.place("nothing")) == (0, None)
    with pytest.raises(SourceError, match="no column 'subject_id' or 'eid' among 2"):
        table.require("subject_id", "eid")


def test_lists_of_keys_need_no_heading(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text("1234567\n2345678\n\n")
    assert list(read_keys(path)) == ["1234567", "2345678"]


def test_a_private_database_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with closing(new_private_database()) as database:
        database.execute("CREATE TABLE t (key TEXT PRIMARY KEY, value TEXT)")
        rows = ((str(n), "x" * 200) for n in range(60_000))
        database.executemany("INSERT INTO t VALUES (?, ?)", rows)
        assert database.execute("SELECT count(*) FROM t").fetchone() == (60_000,)
    assert list(tmp_path.iterdir()) == []
