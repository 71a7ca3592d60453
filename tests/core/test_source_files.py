"""Sources that are not ours to trust."""

from __future__ import annotations

import zipfile

import pytest

from cardionets_core.errors import ConfigError, SourceError
from cardionets_core.source_files import MOST_MEMBERS, inside, open_archive, walk


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "b" / "deep").mkdir(parents=True)
    for name in ("b/2.xml", "b/deep/1.xml", "a.xml"):
        (folder / name).write_text(name)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "keys.xml").write_text("no")
    return folder


def names(source, found):
    return [path.relative_to(source).as_posix() for path in found]


def test_a_walk_lists_every_file_in_a_stable_order(source):
    assert names(source, walk(source)) == ["a.xml", "b/2.xml", "b/deep/1.xml"]


def test_a_walk_leaves_out_links_that_lead_out_and_says_so(source, tmp_path):
    (source / "out").symlink_to(tmp_path / "secret")
    (source / "c.xml").symlink_to(tmp_path / "secret" / "keys.xml")
    (source / "within.xml").symlink_to(source / "a.xml")
    refused: list[str] = []
    assert names(source, walk(source, refused.append)) == [
        "a.xml",
        "b/2.xml",
        "b/deep/1.xml",
        "within.xml",
    ]
    assert refused == ["a link that leads out of the source"] * 2


def test_a_walk_ends_where_links_go_in_circles(source):
    (source / "b" / "again").symlink_to(source)
    (source / "self").symlink_to(source / "self")
    assert names(source, walk(source)) == ["a.xml", "b/2.xml", "b/deep/1.xml"]


def test_a_walk_needs_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        list(walk(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "name",
    ["../secret/keys.xml", "/etc/passwd", "b/../../secret/keys.xml", r"..\secret", "C:/x", ""],
)
def test_a_named_path_may_not_lead_out(source, name):
    with pytest.raises(SourceError, match="leads out of the source"):
        inside(source, name)


def test_a_named_path_may_not_lead_out_through_a_link(source, tmp_path):
    (source / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match="link that leads out"):
        inside(source, "out/keys.xml")


def test_a_named_path_below_is_found_with_slashes_of_either_kind(source):
    assert inside(source, r"b\2.xml") == inside(source, "b/2.xml") == source / "b" / "2.xml"


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_members_are_read_in_memory(tmp_path):
    path = archive(tmp_path / "a.zip", {"1.dcm": b"one", "folder/": b"", "folder/2.dcm": b"two"})
    with open_archive(path) as opened:
        assert opened.names == ("1.dcm", "folder/2.dcm")
        assert opened.read("folder/2.dcm") == b"two"
        assert opened.open("1.dcm").read() == b"one"


@pytest.mark.parametrize("name", ["../../evil.dcm", "/etc/cron.d/evil", r"..\evil.dcm"])
def test_archives_whose_names_lead_out_are_refused(tmp_path, name):
    path = archive(tmp_path / "a.zip", {"1.dcm": b"one", name: b"evil"})
    with pytest.raises(SourceError, match="lead out"), open_archive(path):
        pass


def test_archives_that_unpack_to_too_much_are_refused_by_what_they_announce(tmp_path):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("zeros.dcm", "w", force_zip64=True) as member,
    ):
        for _ in range(257):
            member.write(bytes(1 << 20))
    with pytest.raises(SourceError, match="zip bomb"), open_archive(path):
        pass


def test_archives_that_lie_about_what_they_unpack_to_are_refused(tmp_path):
    path = archive(tmp_path / "a.zip", {"1.dcm": bytes(50_000)})
    with open_archive(path) as opened, pytest.raises(SourceError, match="larger than 1000 bytes"):
        opened.read("1.dcm", most_bytes=1000)


def test_archives_of_too_many_members_are_refused(tmp_path):
    path = archive(tmp_path / "a.zip", {str(n): b"" for n in range(MOST_MEMBERS + 1)})
    with pytest.raises(SourceError, match=f"needed at most {MOST_MEMBERS}"), open_archive(path):
        pass


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off", b"\0" * 500])
def test_what_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SourceError, match="not a whole zip file"), open_archive(tmp_path / "a.zip"):
        pass


def test_a_damaged_member_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", {"1.dcm": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[60:70] = bytes(10)
    path.write_bytes(data)
    with open_archive(path) as opened, pytest.raises(SourceError, match="cannot be read"):
        opened.read("1.dcm")
