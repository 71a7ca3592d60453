"""The flow diagram as SVG: boxes down the middle, what falls out to the right, sides below."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from cardionets_core.cohort.reporting.disclosure import Count, Number
from cardionets_core.cohort.reporting.flow import Flow, Step
from cardionets_core.cohort.splits import ROLES

_WIDTH = 1040
_LINE, _PADDING, _GAP = 19, 12, 34
_MAIN_X, _MAIN_WIDTH = 20, 430
_OUT_X, _OUT_WIDTH = 510, 510
_SPLIT_GAP = 14
# Width of a character of the diagram's 14 px font, measured generously: boxes never run over.
_CHARACTER = 7.6
_MOST_REASONS = 8
_HELD = {
    "ecg": "with an ECG",
    "usable": "with a usable ECG",
    "cine": "with a cine",
    "both": "with both",
}


class _Box(NamedTuple):
    """A box with lines of text; the first ``bold`` lines are its heading."""

    x: float
    y: float
    width: float
    lines: Sequence[str]
    bold: int
    kind: str

    @property
    def height(self) -> float:
        return _LINE * len(self.lines) + 2 * _PADDING - 4

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def svg(self) -> str:
        rows = "".join(
            f'<text x="{self.x + _PADDING:g}" y="{self.y + _PADDING + 11 + _LINE * place:g}"'
            f"{' class=head' if place < self.bold else ''}>{escape(line)}</text>"
            for place, line in enumerate(self.lines)
        )
        return (
            f'<g class="{self.kind}"><rect x="{self.x:g}" y="{self.y:g}" rx="5" '
            f'width="{self.width:g}" height="{self.height:g}"/>{rows}</g>'
        )


def flow_svg(flow: Flow) -> str:
    """Draw the diagram."""
    drawn: list[str] = []
    y = 8.0
    for place, step in enumerate(flow.steps):
        last = place == len(flow.steps) - 1
        heading = _wrapped(step.label, _MAIN_WIDTH)
        lines = [*heading, told(step.count)]
        if last:
            lines += [f"  {_HELD[name]}: {count.records}" for name, count in flow.held.items()]
        box = _Box(_MAIN_X, y, _MAIN_WIDTH, lines, len(heading), "step")
        drawn.append(box.svg())
        if last:
            drawn_sides, y = _sides(flow, box)
            drawn.append(drawn_sides)
        else:
            y = _next(step, box, drawn)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {y + 10:g}" role="img" aria-label="Flow of records from '
        f'source to cohort"><defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" '
        f'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z"/></marker>'
        f"</defs>{''.join(drawn)}</svg>"
    )


def told(count: Count) -> str:
    """A group in words."""
    records = "record" if str(count.records) == "1" else "records"
    if count.persons is None:
        return f"{count.records} {records}"
    persons = "person" if str(count.persons) == "1" else "persons"
    return f"{count.records} {records} of {count.persons} {persons}"


def _next(step: Step, box: _Box, drawn: list[str]) -> float:
    """Draw what falls out after a box, and the arrow on; where the next box begins."""
    if not step.excluded:
        drawn.append(_arrow([(box.middle, box.bottom), (box.middle, box.bottom + _GAP)]))
        return box.bottom + _GAP
    out = _Box(_OUT_X, box.bottom + 10, _OUT_WIDTH, _reasons(step.excluded), 1, "out")
    branch = out.y + out.height / 2
    y = out.bottom + 10
    drawn.append(out.svg())
    drawn.append(_arrow([(box.middle, box.bottom), (box.middle, y)]))
    drawn.append(_arrow([(box.middle, branch), (out.x, branch)]))
    return y


def _reasons(excluded: Mapping[str, Number]) -> list[str]:
    """The lines of a box of what fell out; the frequent reasons first."""
    ordered = sorted(excluded.items(), key=lambda item: -item[1].value)
    lines = ["Left out"]
    for reason, number in ordered[:_MOST_REASONS]:
        lines += _wrapped(f"{number}: {reason}", _OUT_WIDTH, indent="   ")
    if len(ordered) > _MOST_REASONS:
        lines.append(f"and for {len(ordered) - _MOST_REASONS} further reasons: see the table")
    return lines


def _sides(flow: Flow, stored: _Box) -> tuple[str, float]:
    """Roles below the cohort, splits below the roles; the drawing and where it ends."""
    sides = list(flow.sides.items())
    width = (_WIDTH - 2 * _MAIN_X - _SPLIT_GAP * (len(sides) - 1)) / len(sides)
    bus, y = stored.bottom + _GAP / 2, stored.bottom + _GAP
    drawn: list[str] = []
    bottom, x = y, float(_MAIN_X)
    for role in ROLES:
        own = [(split, count) for (side, split), count in sides if side == role]
        if not own:
            continue
        span = len(own) * width + (len(own) - 1) * _SPLIT_GAP
        top = _Box(x, y, span, [f"Role {role}"], 1, "side")
        drawn.append(_arrow([(stored.middle, stored.bottom), (stored.middle, bus),
                             (top.middle, bus), (top.middle, y)]))  # fmt: skip
        drawn.append(top.svg())
        for place, (split, count) in enumerate(own):
            at = x + place * (width + _SPLIT_GAP)
            lines = [split, f"{count.records} records"]
            lines += [f"{count.persons} persons"] if count.persons else []
            box = _Box(at, top.bottom + _GAP, width, lines, 1, "side")
            drawn.append(_arrow([(box.middle, top.bottom), (box.middle, box.y)]))
            drawn.append(box.svg())
            bottom = box.bottom
        x += span + _SPLIT_GAP
    return "".join(drawn), bottom


def _arrow(points: Sequence[tuple[float, float]]) -> str:
    path = "L".join(f"{x:g} {y:g}" for x, y in points)
    return f'<path class="arrow" d="M{path}" marker-end="url(#tip)"/>'


def _wrapped(text: str, width: float, indent: str = "") -> list[str]:
    """Break a text into lines that fit a box; a word that does not is broken too."""
    room = width - 2 * _PADDING
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line.strip() and _length(longer) > room:
            lines.append(line)
            longer = indent + word
        while _length(longer) > room:
            cut = next(n for n in range(len(longer), 0, -1) if _length(longer[:n]) <= room)
            lines.append(longer[:cut])
            longer = indent + longer[cut:]
        line = longer
    return [*lines, line] if line.strip() else lines or [""]


def _length(text: str) -> float:
    """Width of a text in pixels; Chinese and the like take two places."""
    return _CHARACTER * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
