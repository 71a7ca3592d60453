from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardionets_formats import sniffing
from cardionets_formats.plugin import cardionets_ecg_formats

SNIFFERS = {spec.name: spec.sniff for spec in cardionets_ecg_formats()}
XML_ROOTS = {
    "aecg": '<AnnotatedECG xmlns="urn:hl7-org:v3" type="Observation">',
    "muse-xml": "<RestingECG>",
    "philips-xml": '<restingecgdata xmlns="http://www3.medical.philips.com" status="New">',
    "cardiosoft-xml": "<CardiologyXML>",
}


def sniffed(head: bytes) -> list[str]:
    return [name for name, sniff in SNIFFERS.items() if sniff(head)]


@pytest.mark.parametrize("name", XML_ROOTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "\r\n\t ",
        '<?xml version="1.0"?>\n',
        "<!-- <RestingECG> <AnnotatedECG> -->",
        '<?xml version="1.0"?><!-- - > -->\n<!DOCTYPE x SYSTEM "restecg.dtd">\n',
        "<!DOCTYPE x [<!ELEMENT a ANY> <!-- > -->]>  <?note <CardiologyXML> ?>",
    ],
)
def test_xml_is_known_by_its_root_in_any_encoding_after_anything(name, encoding, before):
    head = (before + XML_ROOTS[name] + "<x/>" * 2000).encode(encoding)[:4096]
    assert sniffed(head) == [name]


def test_an_odd_end_in_utf_16_is_no_obstacle():
    head = (XML_ROOTS["philips-xml"] + "<x>").encode("utf-16")
    assert sniffed(head[:-1]) == ["philips-xml"]


def test_a_prefix_for_the_namespace_is_understood():
    assert sniffed(b'<hl7:AnnotatedECG xmlns:hl7="urn:hl7-org:v3">') == ["aecg"]


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>RestingECG</body></html>",
        "<svg xmlns='http://www.w3.org/2000/svg'><RestingECG/></svg>",
        "<AnnotatedECG xmlns='urn:other'>",
        "<hl7:AnnotatedECG xmlns='urn:hl7-org:v3' xmlns:hl7='urn:other'>",
        "<RestingECG xmlns='urn:other'>",
        "<RestingECGReport>",
        "<restingecg>",
        "<restingecgdata>",
        "<restingecgdata xmlns='http://other.example'>",
        "<CardiologyXML xmlns='urn:other'>",
        "<CardiologyXMLs>",
        "<!-- <RestingECG>",
        "RestingECG",
        "x <RestingECG>",
        "<",
        "<!DOCTYPE RestingECG",
        "<?xml",
    ],
)
def test_foreign_xml_is_left_alone(text):
    for encoding in ("utf-8", "utf-16"):
        assert sniffed(text.encode(encoding)) == []


def dicom_head(sop_class: bytes, *, long_first: bool = True) -> bytes:
    """Preamble and file meta information up to the SOP class."""
    version = b"\x02\x00\x01\x00OB\0\0\x02\x00\x00\x00\x00\x01" if long_first else b""
    uid = sop_class + b"\0" * (len(sop_class) % 2)
    return (
        bytes(128)
        + b"DICM\x02\x00\x00\x00UL\x04\x00\xc8\x00\x00\x00"
        + version
        + b"\x02\x00\x02\x00UI"
        + len(uid).to_bytes(2, "little")
        + uid
        + b"\x02\x00\x03\x00UI\x04\x001.2\0"
    )


@pytest.mark.parametrize("kind", [b"1.1", b"1.2", b"1.4"])
@pytest.mark.parametrize("long_first", [True, False])
def test_dicom_is_known_by_an_ecg_storage_class(kind, long_first):
    head = dicom_head(b"1.2.840.10008.5.1.4.1.1.9." + kind, long_first=long_first)
    assert sniffed(head) == ["dicom-ecg"]


@pytest.mark.parametrize(
    "sop_class",
    [
        b"1.2.840.10008.5.1.4.1.1.4",
        b"1.2.840.10008.5.1.4.1.1.9.1.3",
        b"1.2.840.10008.5.1.4.1.1.9.1.11",
    ],
)
def test_images_and_holter_recordings_in_dicom_are_left_alone(sop_class):
    assert sniffed(dicom_head(sop_class)) == []


def test_scp_is_known_by_the_mark_in_the_header_of_section_0():
    assert sniffed(bytes(16) + b"SCPECG" + bytes(100)) == ["scp-ecg"]
    assert sniffed(bytes(17) + b"SCPECG" + bytes(100)) == []


@pytest.mark.parametrize("maker", ["cardiosoft", "muse", "aecg", "philips"])
def test_every_cut_of_a_file_is_known_as_itself_or_as_nothing(made_up, maker):
    head = made_up.MAKERS[maker]()[:4096]
    whole = sniffed(head)
    assert len(whole) == 1
    for length in range(0, len(head), 7):
        assert sniffed(head[:length]) in ([], whole)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"<", b"\xff\xfe<\0", bytes(128) + b"DICM\2\0"])
)
def test_no_bytes_make_a_sniffer_raise_or_claim(noise, start):
    assert sniffed(start + noise) == []


def test_a_comment_without_end_takes_no_time():
    head = b"<!--" * 1024
    assert sniffing.xml_root(head) is None
    assert sniffing.xml_root(b"<?" * 2048) is None
    assert sniffing.xml_root(b" " * 4096) is None
    assert sniffing.xml_root(b"<a " + b'x="" ' * 800) == ("a", "")


def test_real_files_are_known_each_by_one_format(vendor_folder):
    names = {
        "cardiosoft_xml": "cardiosoft-xml",
        "ge_muse_xml": "muse-xml",
        "hl7_aecg": "aecg",
        "philips_xml": "philips-xml",
        "scp_ecg": "scp-ecg",
        "../ecg_dicom": "dicom-ecg",
    }
    for folder, name in names.items():
        files = [file for file in (vendor_folder / folder).iterdir() if file.suffix != ".md"]
        assert files
        for file in files:
            assert sniffed(file.read_bytes()[:4096]) == [name], file


def test_real_wfdb_files_are_left_alone(vendor_folder):
    for file in sorted((vendor_folder.parent / "ecg_wfdb").glob("*0.*")):
        assert sniffed(file.read_bytes()[:4096]) == []


def test_random_bytes_are_left_alone():
    rng = np.random.default_rng(0)
    assert not any(sniffed(rng.bytes(4096)) for _ in range(50))


def test_declaring_the_formats_loads_nothing_heavy():
    program = (
        "import sys, cardionets_formats.plugin as p; list(p.cardionets_ecg_formats());"
        "print(sorted({'numpy', 'torch', 'pydicom', 'defusedxml', 'sierraecg', 'xml'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
