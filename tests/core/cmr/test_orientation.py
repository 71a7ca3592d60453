from __future__ import annotations

import numpy as np
import pytest

from cardionets_core.cmr.orientation import Turn, turn_to_shown

LEFT, BACK, FEET = np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
TILTED = np.array([0.9, 0.3, -0.3162]), np.array([-0.1, 0.85, 0.5217])


@pytest.mark.parametrize(
    ("right", "down"), [(LEFT, BACK), (LEFT, FEET), (BACK, FEET), TILTED], ids=str
)
def test_a_picture_as_scanners_show_it_stays_and_any_other_is_turned_back(right, down):
    frames = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert turn_to_shown(right, down) == Turn()
    stored = {
        "columns flipped": (frames[:, :, ::-1], -right, down),
        "rows flipped": (frames[:, ::-1], right, -down),
        "rows flipped, columns flipped": (frames[:, ::-1, ::-1], -right, -down),
        "rows and columns swapped": (frames.transpose(0, 2, 1), down, right),
        "rows and columns swapped, rows flipped": (
            frames[:, ::-1].transpose(0, 2, 1),
            -down,
            right,
        ),
    }
    for told, (picture, its_right, its_down) in stored.items():
        turn = turn_to_shown(its_right, its_down)
        np.testing.assert_array_equal(turn.of(picture), frames)
        assert str(turn) == told
        assert turn.of_spacing((1.0, 2.0)) == ((2.0, 1.0) if turn.swap else (1.0, 2.0))


@pytest.mark.parametrize("right", [np.zeros(3), np.array([np.nan, 0, 0]), BACK])
def test_axes_that_are_no_directions_turn_nothing(right):
    assert turn_to_shown(right, BACK) == Turn()
