"""Recognise a format by the first bytes of a file. Nothing heavy is imported, nothing is raised.

XML is recognised by its root element and that element's namespace, in UTF-8, in any encoding that
keeps ASCII, and in UTF-16 with or without a byte order mark; space, comments and a document type
may come before the root.
"""

from __future__ import annotations

import re

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BEFORE_ROOT = re.compile(
    r"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL | re.ASCII
)
_ROOT = re.compile(
    r"<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)(?=[\s/>])((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)",
    re.ASCII,
)
_NAMESPACE = re.compile(r"\sxmlns(?::([\w.-]+))?\s*=\s*[\"']([^\"']*)[\"']", re.ASCII)

_DICOM_MARK_AT = 128
_DICOM_META_GROUP = b"\x02\x00"
_DICOM_SOP_CLASS = b"\x02\x00"
_DICOM_LONG_LENGTHS = (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT")
# Waveform storage of 12-lead ECG, general ECG, and general ECG in 32 bits.
_DICOM_ECG_CLASSES = tuple(b"1.2.840.10008.5.1.4.1.1.9.1." + kind for kind in (b"1", b"2", b"4"))


def looks_like_aecg(head: bytes) -> bool:
    """Whether this is the beginning of an HL7 annotated ECG."""
    return xml_root(head) in {("AnnotatedECG", "urn:hl7-org:v3"), ("AnnotatedECG", "")}


def looks_like_cardiosoft(head: bytes) -> bool:
    """Whether this is the beginning of a GE CardioSoft XML file."""
    return xml_root(head) == ("CardiologyXML", "")


def looks_like_muse(head: bytes) -> bool:
    """Whether this is the beginning of a GE MUSE XML file."""
    return xml_root(head) == ("RestingECG", "")


def looks_like_philips(head: bytes) -> bool:
    """Whether this is the beginning of a Philips Sierra XML file."""
    root = xml_root(head)
    return root is not None and root[0] == "restingecgdata" and "medical.philips.com" in root[1]


def looks_like_scp(head: bytes) -> bool:
    """Whether this is the beginning of an SCP-ECG file (EN 1064: header of section 0)."""
    return head[16:22] == b"SCPECG"


def looks_like_dicom(head: bytes) -> bool:
    """Whether this is the beginning of a DICOM file that holds an ECG, and not an image."""
    if head[_DICOM_MARK_AT : _DICOM_MARK_AT + 4] != b"DICM":
        return False
    at = _DICOM_MARK_AT + 4
    # File meta information is little endian with explicit value types, whatever follows it.
    while head[at : at + 2] == _DICOM_META_GROUP:
        if head[at + 4 : at + 6] in _DICOM_LONG_LENGTHS:
            value_at, length = at + 12, int.from_bytes(head[at + 8 : at + 12], "little")
        else:
            value_at, length = at + 8, int.from_bytes(head[at + 6 : at + 8], "little")
        if head[at + 2 : at + 4] == _DICOM_SOP_CLASS:
            return head[value_at : value_at + length].rstrip(b"\0 ") in _DICOM_ECG_CLASSES
        at = value_at + length
    return False


def xml_root(head: bytes) -> tuple[str, str] | None:
    """Name and namespace of the root element, or None if there is none in these bytes.

    Args:
        head: The first bytes of a file.

    Returns:
        Name without prefix, and the namespace that it belongs to, empty if to none.
    """
    text = _text(head)
    at = 0
    while skipped := _BEFORE_ROOT.match(text, at):
        at = skipped.end()
    root = _ROOT.match(text, at)
    if root is None:
        return None
    prefix, name, attributes = root.groups()
    spaces: dict[str | None, str] = {
        found.group(1): found.group(2) for found in _NAMESPACE.finditer(attributes)
    }
    return name, spaces.get(prefix, "")


def _text(head: bytes) -> str:
    """The first bytes as text, exact as far as it is ASCII."""
    if head.startswith(_UTF16_MARKS):
        return head.decode("utf-16", errors="replace")
    # XML begins with an ASCII character: half of it is zero in UTF-16.
    if head[:1] == b"\0":
        return head.decode("utf-16-be", errors="replace")
    if head[1:2] == b"\0":
        return head.decode("utf-16-le", errors="replace")
    return head.removeprefix(_UTF8_MARK).decode("latin-1")
