"""Mutations of XML documents, the same for the same seed, and what has to hold for each.

Loaded by path: tests are no package.
"""

from __future__ import annotations

import base64
import re
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cardionets_core.errors import EcgError
from cardionets_core.testing import ecg_checks

SLOWEST_S = 2.0
MOST_MEMORY_BYTES = 400 << 20
# What describes the signal, and not patient, beat or measurements.
SIGNAL = {
    "cardiosoft": r"<StripData>.*?</StripData>",
    "muse": r"<Waveform>\s*<WaveformType>Rhythm.*?</Waveform>",
    "aecg": r'<code code="RHYTHM".*?(?=<derivation>|</series>)',
    "philips": r"<documentversion>.*?<|<signalcharacteristics>.*?</signalcharacteristics>"
    r"|<parsedwaveforms.*?</parsedwaveforms>",
}
_LEAF = re.compile(r"<([A-Za-z][\w:-]*)((?:\s[^<>]*)?)>([^<>]*)</\1>")
_ATTRIBUTE = re.compile(r'(\s[\w:]+)="([^"<>]*)"')
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{400,}")
HOSTILE = (
    "", " ", "0", "-1", "1", "2", "1e999", "-1e308", "1e-320", "9" * 30, "9" * 5000, "nan", "inf",
    "1_000", "\u0663", "4,88", "0x10", "-32768", "32768", "99999999", "4294967296", "1.5", "+-1",
    "&lt;", "None", "I", "II", "mV", "V", "h", "ms", "XLI", "Base64", "RHYTHM", "Rhythm",
)  # fmt: skip


@dataclass
class Document:
    """A document as text, with its leaves and attributes by name: rare ones are hit as often."""

    text: str
    encoding: str
    leaves: list[list[re.Match[str]]]
    attributes: list[list[re.Match[str]]]

    def leaf(self, rng: np.random.Generator) -> re.Match[str]:
        return _any_of(_any_of(self.leaves, rng), rng)

    def attribute(self, rng: np.random.Generator) -> re.Match[str]:
        return _any_of(_any_of(self.attributes, rng), rng)

    def without(self, start: int, end: int, instead: str = "") -> str:
        return self.text[:start] + instead + self.text[end:]


def document_of(content: bytes, signal: str, *, inside: bool) -> Document:
    """The text of a file, with what lies inside or outside its signal.

    Args:
        content: In UTF-16, or in an encoding that keeps every byte as Latin-1.
        signal: Expression for the parts that describe the signal.
        inside: Whether leaves and attributes are those of these parts, or of the rest.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    text = content.decode(encoding)
    spans = [part.span() for part in re.finditer(signal, text, re.DOTALL)]
    assert spans

    def by_name(pattern: re.Pattern[str]) -> list[list[re.Match[str]]]:
        found: dict[str, list[re.Match[str]]] = {}
        for match in pattern.finditer(text):
            if any(start <= match.start() < end for start, end in spans) == inside:
                found.setdefault(match.group(1), []).append(match)
        return list(found.values())

    return Document(text, encoding, by_name(_LEAF), by_name(_ATTRIBUTE))


def mutations(content: bytes, count: int, seed: int, signal: str) -> Iterator[bytes]:
    """Mutated copies of a file: its bytes, and elements, numbers and samples of its signal."""
    rng = np.random.default_rng(seed)
    document = document_of(content, signal, inside=True)
    for _ in range(count):
        if rng.random() < 0.3:
            yield _any_of(_OF_BYTES, rng)(bytearray(content), rng)
        else:
            yield _encoded(document, _any_of(_OF_TEXT, rng)(document, rng))


def mutations_elsewhere(content: bytes, count: int, seed: int, signal: str) -> Iterator[bytes]:
    """Mutated copies of a file that leave its signal alone."""
    rng = np.random.default_rng(seed)
    document = document_of(content, signal, inside=False)
    for _ in range(count):
        yield _encoded(document, _any_of(_OF_TEXT, rng)(document, rng))


def _encoded(document: Document, text: str) -> bytes:
    return text.encode(document.encoding, errors="replace")


def _any_of(things: Any, rng: np.random.Generator) -> Any:
    return things[int(rng.integers(len(things)))]


def _span(length: int, longest: int, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(length))
    return start, min(length, start + 1 + int(rng.integers(longest)))


def _flip(made: bytearray, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 20))):
        made[int(rng.integers(len(made)))] ^= 1 << int(rng.integers(8))
    return bytes(made)


def _cut(made: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(made[: int(rng.integers(len(made)))])


def _delete(made: bytearray, rng: np.random.Generator) -> bytes:
    start, end = _span(len(made), 2000, rng)
    del made[start:end]
    return bytes(made)


def _double(made: bytearray, rng: np.random.Generator) -> bytes:
    start, end = _span(len(made), 30_000, rng)
    at = int(rng.integers(len(made)))
    made[at:at] = made[start:end]
    return bytes(made)


def _noise(made: bytearray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(made)))
    made[at:at] = rng.bytes(int(rng.integers(1, 64)))
    return bytes(made)


def _drop_leaf(document: Document, rng: np.random.Generator) -> str:
    return document.without(*document.leaf(rng).span())


def _double_leaf(document: Document, rng: np.random.Generator) -> str:
    leaf = document.leaf(rng)
    return document.without(leaf.end(), leaf.end(), leaf.group())


def _second_opinion(document: Document, rng: np.random.Generator) -> str:
    leaf = document.leaf(rng)
    other = f"<{leaf.group(1)}{leaf.group(2)}>{_any_of(HOSTILE, rng)}</{leaf.group(1)}>"
    return document.without(leaf.end(), leaf.end(), other)


def _hostile_text(document: Document, rng: np.random.Generator) -> str:
    return document.without(*document.leaf(rng).span(3), _any_of(HOSTILE, rng))


def _hostile_attribute(document: Document, rng: np.random.Generator) -> str:
    if not document.attributes:
        return _hostile_text(document, rng)
    return document.without(*document.attribute(rng).span(2), _any_of(HOSTILE, rng))


def _swap_texts(document: Document, rng: np.random.Generator) -> str:
    first, second = document.leaf(rng), document.leaf(rng)
    if first.start() > second.start():
        first, second = second, first
    if first.start() == second.start():
        return document.text
    text = document.without(*second.span(3), first.group(3))
    return text[: first.start(3)] + second.group(3) + text[first.end(3) :]


def _in_a_long_text(document: Document, rng: np.random.Generator) -> str:
    """Something among the samples, or some of them gone."""
    spans = [leaf.span(3) for leaves in document.leaves for leaf in leaves]
    longs = [span for span in spans if span[1] - span[0] > 300]
    if not longs:
        return document.text
    start, end = _any_of(longs, rng)
    at = int(rng.integers(start, end))
    gone = int(rng.integers(0, 40)) if rng.random() < 0.5 else 0
    return document.without(at, min(at + gone, end), _any_of(HOSTILE, rng) if not gone else "")


def in_packed_samples(document: Document, rng: np.random.Generator) -> str:
    """Bytes changed under the base64 text."""
    leaves = [leaf for leaves in document.leaves for leaf in leaves]
    packed = [leaf for leaf in leaves if _BASE64.fullmatch(leaf.group(3))]
    if not packed:
        return _in_a_long_text(document, rng)
    chosen = _any_of(packed, rng)
    raw = bytearray(base64.b64decode(chosen.group(3)))
    kind = int(rng.integers(5))
    if kind == 0:
        at = int(rng.choice([0, 4, 6, int(rng.integers(len(raw)))]))
        raw[at : at + 4] = int(rng.choice([-8, -1, 0, 1, 1 << 30])).to_bytes(
            4, "little", signed=True
        )
    changed = bytes(raw) if kind == 0 else _OF_BYTES[kind](raw, rng)
    return document.without(*chosen.span(3), base64.b64encode(changed).decode())


_OF_BYTES = (_flip, _cut, _delete, _double, _noise)
_OF_TEXT = (
    _drop_leaf,
    _double_leaf,
    _second_opinion,
    _hostile_text,
    _hostile_text,
    _hostile_attribute,
    _swap_texts,
    _in_a_long_text,
    in_packed_samples,
)


def read_or_refused(read_bytes: Callable[..., Any], content: bytes) -> Any:
    """A consistent record, or the message of an EcgError in one line; within time."""
    started = time.process_time()
    try:
        result = read_bytes(content, "record 7")
    except EcgError as error:
        result = str(error)
        assert result.startswith("record 7: ")
        assert "\n" not in result
        assert len(result) < 400
    else:
        ecg_checks.require_shape(result)
        ecg_checks.require_leads(result)
        ecg_checks.require_steps(result)
        assert not np.isinf(result.signal_mv).any()
    assert time.process_time() - started < SLOWEST_S
    return result


def peak_memory_bytes() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
