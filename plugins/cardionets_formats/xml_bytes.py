"""XML from outside, parsed from bytes: no entity, no external file, bounded size and depth.

Messages hold nothing of the file's text: it may be a patient's name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from cardionets_core.errors import EcgError

# A resting ECG has 0.1 to 0.5 MB and up to 3,000 elements; CardioSoft's full disclosure adds 18 kB
# for every second.
_LARGEST_BYTES = 32 << 20
_MOST_ELEMENTS = 50_000
_DEEPEST = 100
_SPACE_AND_MARKS = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"
_HEAD_BYTES = 4096
_ENCODING = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")
# Encodings of several bytes, which expat cannot read, and the codec that covers each.
_CODECS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
    "shift_jis": "shift_jis",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
}


def content_of(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        EcgError: If it cannot be read, or is larger than any resting ECG.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        # The text of the cause holds the path.
        raise EcgError(
            f"the file cannot be read ({error.strerror}); needed a file that you may read: "
            "check its path and rights"
        ) from None
    _check_size(content)
    return content


def parse_xml(content: bytes, root_name: str) -> Element:
    """Parse a whole XML document.

    A document type may be named, as MUSE does, but is never fetched, and may declare nothing.

    Args:
        content: The document in its own encoding.
        root_name: Name of the root element, without namespace.

    Returns:
        The root element.

    Raises:
        EcgError: If it is no XML, another document, too large or too deep, or declares entities.
    """
    _check_size(content)
    parser: Any = DefusedXMLParser(target=_BoundedTree())
    parser.parser.StartDoctypeDeclHandler = _refuse_declarations
    try:
        parser.feed(_as_expat_reads(content))
        root: Element = parser.close()
    except DefusedXmlException:
        raise EcgError(
            "the XML declares entities or refers to other files; needed a plain document: "
            "export it again"
        ) from None
    except ParseError as error:
        line = error.position[0]
        raise EcgError(
            f"not well-formed XML: broken at line {line}; is the file cut off? copy it again"
        ) from None
    except (ValueError, LookupError):
        raise EcgError(
            "the XML states an encoding that cannot be read; needed UTF-8, UTF-16 or ISO-8859-1: "
            "export it again"
        ) from None
    if root.tag.rpartition("}")[2] != root_name:
        raise EcgError(
            f"another kind of XML; needed the root element {root_name}: is this an ECG, and of "
            "this format?"
        )
    return root


class _BoundedTree(TreeBuilder):
    """Builds elements up to a number and a depth."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = 0
        self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._elements += 1
        self._depth += 1
        if self._elements > _MOST_ELEMENTS or self._depth > _DEEPEST:
            raise EcgError(
                f"XML of over {_MOST_ELEMENTS} elements or {_DEEPEST} levels; needed one resting "
                "ECG"
            )
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def _refuse_declarations(
    name: str, system_id: str | None, public_id: str | None, has_declarations: int
) -> None:
    """Refuse a document type that declares something: defaults of attributes can be a bomb, too."""
    del name, system_id, public_id
    if has_declarations:
        raise EcgError("the XML brings declarations of its own; needed none: export it again")


def _check_size(content: bytes) -> None:
    if len(content) > _LARGEST_BYTES:
        raise EcgError(
            f"a file of over {_LARGEST_BYTES >> 20} MiB; needed one resting ECG, which has 1 MB"
        )


def _as_expat_reads(content: bytes) -> bytes:
    """The document from its first mark on, in an encoding that expat knows."""
    head = content[:_HEAD_BYTES]
    at = head.find(b"<")
    big_endian = head[:1] == b"\0" or head[:2] == b"\xfe\xff"
    # XML allows nothing before its declaration, but files have been seen with an empty line there.
    if at > 0 and not head[:at].translate(None, _SPACE_AND_MARKS):
        content = content[at - big_endian :]
    stated = _ENCODING.match(content[:_HEAD_BYTES])
    codec = _CODECS.get(stated.group(1).decode().lower()) if stated else None
    if stated and codec:
        return content[stated.end() :].decode(codec).encode()
    return content
