from __future__ import annotations

import pytest

from cardionets_core.weights.cards import card_problems, summary_of

CARD = """# made-up

One line about simulated hearts.

## What it is
An encoder.

## Data
Simulated subjects.

## Numbers
Validation loss 0.25, from

```
cardionets train --encoder tiny
```

## Limits
Not for patients.

## Licence
MIT
"""


def test_complete_card_has_no_problem() -> None:
    assert card_problems(CARD, licence="MIT", simulated=True) == ()
    assert summary_of(CARD) == "One line about simulated hearts."


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("## What it is", "## Something", "'## What' is missing"),
        ("Simulated subjects.", "", "'## Data' is missing or empty"),
        ("## Limits", "Limits", "'## Limits' is missing"),
        ("cardionets train", "run", "has no command"),
        ("Validation loss 0.25, from", "", "has no number"),
        ("One line about simulated hearts.", "", "no summary line"),
        ("MIT", "free", "does not name MIT"),
    ],
)
def test_card_that_lacks_something_is_told_what(old: str, new: str, problem: str) -> None:
    problems = card_problems(CARD.replace(old, new), licence="MIT", simulated=True)
    assert len(problems) == 1
    assert problem in problems[0]


def test_only_a_card_of_simulated_data_has_to_say_simulated() -> None:
    card = CARD.replace("Simulated", "Real").replace("simulated", "real")
    assert card_problems(card, licence="MIT", simulated=False) == ()
    (problem,) = card_problems(card, licence="MIT", simulated=True)
    assert "'simulated' is missing" in problem
