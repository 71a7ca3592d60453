from __future__ import annotations

import socket
import time
import traceback

import pytest

from cardionets_core.errors import EcgError
from cardionets_formats import xml_bytes
from cardionets_formats.xml_bytes import content_of, parse_xml


def refusal(content: bytes) -> str:
    with pytest.raises(EcgError) as caught:
        parse_xml(content, "a")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("before", ["", " \r\n\t"])
@pytest.mark.parametrize("stated", [True, False])
def test_unicode_is_parsed_with_and_without_mark_declaration_and_space(encoding, before, stated):
    name = "utf-16" if "16" in encoding else "utf-8"
    declaration = f'<?xml version="1.0" encoding="{name}"?>' if stated else ""
    content = f"{before}{declaration}<a>\u00e9</a>".encode(encoding)
    assert parse_xml(content, "a").text == "\u00e9"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
        ("GB2312", "gb18030"),
        ("gbk", "gb18030"),
        ("GB18030", "gb18030"),
        ("Shift_JIS", "shift_jis"),
    ],
)
def test_bytes_are_read_in_the_encoding_that_they_state(name, codec):
    text = "\u00e9" if codec in ("latin-1", "cp1252") else "\u5fc3"
    content = f"<?xml version='1.0' encoding='{name}'?><a>{text}</a>".encode(codec)
    assert parse_xml(content, "a").text == text


@pytest.mark.parametrize("name", ["utf-7", "zlib_codec", "no-such", "undefined", "x" * 3000])
def test_an_encoding_that_cannot_be_read_is_refused(name):
    assert "encoding" in refusal(f'<?xml version="1.0" encoding="{name}"?><a>1</a>'.encode())


def test_bytes_that_are_not_in_the_stated_encoding_are_refused():
    refusal(b'<?xml version="1.0" encoding="GB2312"?><a>\xff\xff</a>')
    refusal(b'<?xml version="1.0" encoding="utf-8"?><a>\xff\xff</a>')
    refusal(b'<?xml version="1.0" encoding="utf-16"?><a>1</a>')


LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE a [<!ENTITY l0 "lol">' + LAUGHS + b"]><a>&l9;</a>",
        b'<!DOCTYPE a [<!ENTITY e "' + b"x" * 100_000 + b'">]><a>' + b"&e;" * 10_000 + b"</a>",
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>',
        b'<!DOCTYPE a SYSTEM "x.dtd" [<!ENTITY e "e">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ATTLIST b c CDATA "'
        + b"x" * 100_000
        + b'">]><a>'
        + b"<b/>" * 50_000
        + b"</a>",
        b'<!DOCTYPE a [<!NOTATION n SYSTEM "x"><!ENTITY e SYSTEM "x" NDATA n>]><a/>',
        b'<!DOCTYPE a SYSTEM "x.dtd"><a>&undefined;</a>',
        b"<a>&undefined;</a>",
    ],
)
def test_entities_bombs_and_external_files_are_refused_at_once(content):
    started = time.process_time()
    refusal(content)
    assert time.process_time() - started < 1.0


def test_entities_are_refused_even_without_the_check_of_declarations(monkeypatch):
    monkeypatch.setattr(xml_bytes, "_refuse_declarations", None)
    assert "entities" in refusal(b'<!DOCTYPE a [<!ENTITY e "e">]><a>&e;</a>')


def test_a_document_type_is_never_fetched():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/restecg.dtd"
        content = f'<!DOCTYPE a PUBLIC "-//x" "{address}"><a>1</a>'.encode()
        assert parse_xml(content, "a").text == "1"
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("content", [b"<a>" * 500_000, b"<a>" + b"<b/>" * 500_000 + b"</a>"])
def test_documents_of_absurd_depth_or_number_are_refused(content):
    started = time.process_time()
    assert "needed one resting ECG" in refusal(content)
    assert time.process_time() - started < 5.0


def test_a_file_of_absurd_size_is_refused_without_being_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(xml_bytes, "_LARGEST_BYTES", 1000)
    path = tmp_path / "large.xml"
    path.write_bytes(b"<a>" + b" " * 1000 + b"</a>")
    with pytest.raises(EcgError, match="needed one resting ECG"):
        content_of(path)
    refusal(path.read_bytes())


def test_a_file_that_is_not_there_is_refused_without_its_name(tmp_path):
    path = tmp_path / f"{'quix'}{'worth'}.xml"
    with pytest.raises(EcgError, match="cannot be read") as caught:
        content_of(path)
    assert "quixworth" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [b"", b" ", b"a", b"<a>", b"<a></b>", b"<a/><a/>", bytes(50)])
def test_what_is_no_document_is_refused_in_one_line(content):
    refusal(content)


def test_another_root_is_refused():
    assert "needed the root element a" in refusal(b"<b/>")
    assert parse_xml(b"<x:a xmlns:x='urn:x'/>", "a").tag == "{urn:x}a"
