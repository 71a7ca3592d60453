"""What a card has to say before weights may be packed."""

from __future__ import annotations

import re

REQUIRED_SECTIONS = ("What", "Data", "Numbers", "Limits", "Licence")

_HEADING = re.compile(r"^##\s+(.+?)\s*$", re.MULTILINE)
# A command in a code block or between backticks: what a reader can run to get the numbers.
_COMMAND = re.compile(r"(?:^\s*(?:\$ )?|`)(?:cardionets|sh|python) \S.*$", re.MULTILINE)


def card_problems(card: str, *, licence: str, simulated: bool) -> tuple[str, ...]:
    """What a card lacks.

    Args:
        card: Markdown: a title, one summary line, and a ``##`` heading per section that begins
            with one of ``REQUIRED_SECTIONS``.
        licence: SPDX id of the weights.
        simulated: Whether any step of the lineage saw simulated subjects.

    Returns:
        One line per problem; none if the card is complete.
    """
    sections = _sections(card)
    problems = [
        f"section '## {name}' is missing or empty"
        for name in REQUIRED_SECTIONS
        if not sections.get(name.lower())
    ]
    if not summary_of(card):
        problems.append("no summary line stands under the title")
    problems += _problems_of_numbers(sections.get("numbers", ""))
    if licence not in sections.get("licence", licence):
        problems.append(f"section '## Licence' does not name {licence}")
    if simulated and "simulated" not in card.lower():
        problems.append("the word 'simulated' is missing, though simulated subjects were seen")
    return tuple(problems)


def summary_of(card: str) -> str:
    """The first line of text under the title."""
    before_sections = _HEADING.split(card)[0]
    lines = (line.strip() for line in before_sections.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")


def _problems_of_numbers(section: str) -> list[str]:
    if not section:
        return []
    problems = []
    if not _COMMAND.search(section):
        problems.append("section '## Numbers' has no command that gives the numbers")
    if not re.search(r"\d", _COMMAND.sub("", section)):
        problems.append("section '## Numbers' has no number")
    return problems


def _sections(card: str) -> dict[str, str]:
    """First word of each heading, in lower case, to the text under it."""
    pieces = _HEADING.split(card)
    headings = [re.split(r"\W", heading, maxsplit=1)[0].lower() for heading in pieces[1::2]]
    return {heading: text.strip() for heading, text in zip(headings, pieces[2::2], strict=True)}
