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


def test_four_chamber_planes_of_differently_lying_hearts_are_shown_alike():
    rng = np.random.default_rng(0)
    nearest = set()
    for _ in range(500):
        # From base to apex, to the left, the front and the feet; and from right to left ventricle.
        apex, across = rng.normal((0.6, -0.6, -0.5), 0.15), rng.normal((0.6, 0.7, -0.3), 0.15)
        normal = np.cross(apex, across)
        normal /= np.linalg.norm(normal)
        nearest.add(int(np.argmax(np.abs(normal))))
        right = LEFT - (LEFT @ normal) * normal
        right /= np.linalg.norm(right)
        down = np.cross(normal, right)
        assert turn_to_shown(right, down) == Turn()
        assert turn_to_shown(-right, down) == Turn(flip_columns=True)
        assert turn_to_shown(down, right) == Turn(swap=True)
    assert nearest == {0, 1, 2}


@pytest.mark.parametrize("right", [np.zeros(3), np.array([np.nan, 0, 0]), BACK])
def test_axes_that_are_no_directions_turn_nothing(right):
    assert turn_to_shown(right, BACK) == Turn()
