"""Sheets of cines: every row says what it is, and nothing is drawn over a heart."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image
from scipy.ndimage import find_objects, label

from cardionets_core.errors import CineError, EvaluationError
from cardionets_core.evaluate.plots.cines import (
    ES_RULE,
    CineGroup,
    CineRow,
    draw_contact_sheet,
    draw_decile_sheet,
    draw_ed_es_sheet,
    end_systole,
    write_side_by_side,
)


def heart(radius=8.0, frames=10):
    """A disc that is smallest at frame 3, on a dark ground, (T, 24, 24)."""
    y, x = np.mgrid[:24, :24] - 11.5
    size = radius - 3 * np.exp(-(((np.arange(frames) - 3) / 1.5) ** 2))
    inside = np.hypot(x, y)[None] < size[:, None, None]
    return np.where(inside, 0.6, -0.9).astype(np.float32)


def real(cine=None, simulated=False):
    return CineRow("real", heart() if cine is None else cine, False, simulated)


def drawn(cine=None, simulated=False):
    return CineRow("made-up", heart(7) if cine is None else cine, True, simulated)


def svg(path):
    assert imread(path.with_suffix(".png")).std() > 0.01
    # Lines of one text are texts of their own.
    return re.findall(r">([^<>]+)</t", path.with_suffix(".svg").read_text(encoding="utf-8"))


SHEETS = {
    "contact": lambda rows, path, **told: draw_contact_sheet(
        [CineGroup("subject 1", rows)], path, **told
    ),
    "ed-es": lambda rows, path, **told: draw_ed_es_sheet(
        [CineGroup("subject 1", rows), CineGroup("subject 2", rows)], path, **told
    ),
    "tenths": lambda rows, path, **told: draw_decile_sheet(
        [row._replace(cine=np.stack([row.cine] * 10)) for row in rows],
        np.arange(10.0),
        path,
        phenotype="LV mass",
        unit="g",
        **told,
    ),
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_drawn_row_is_marked_and_a_real_one_is_not(tmp_path, name):
    SHEETS[name]([real(), drawn()], tmp_path / "a", title="Heading")
    texts = svg(tmp_path / "a")
    assert texts.count("SYNTHETIC") == texts.count("made-up") == texts.count("real") > 0
    assert "Heading" in texts
    assert "simulated data" not in texts
    assert any("Grey from \N{MINUS SIGN}1 (black) to 1 (white)" in text for text in texts)


@pytest.mark.parametrize("name", SHEETS)
def test_simulated_rows_are_marked_one_by_one_and_the_sheet_is_stamped(tmp_path, name):
    SHEETS[name]([real(simulated=True), drawn(simulated=True)], tmp_path / "a")
    texts = svg(tmp_path / "a")
    assert texts.count("SIMULATED SUBJECT") == texts.count("real")
    assert texts.count("SYNTHETIC,") == texts.count("SIMULATED DATA") == texts.count("made-up")
    assert "simulated data" in texts


def test_a_contact_sheet_spreads_its_frames_over_the_cycle(tmp_path):
    draw_contact_sheet([CineGroup("subject 1", [real(heart(frames=50))])], tmp_path / "a", frames=5)
    assert [text for text in svg(tmp_path / "a") if " of 50" in text] == [
        f"{frame} of 50" for frame in (1, 11, 21, 31, 41)
    ]


def test_es_is_the_frame_that_differs_most_from_the_first_and_is_named(tmp_path):
    assert end_systole(heart()) == 3
    draw_ed_es_sheet([CineGroup("subject 1", [real()])], tmp_path / "a")
    texts = svg(tmp_path / "a")
    assert "ES, 4 of 10" in texts
    assert ES_RULE in " ".join(texts)


def test_pixels_are_square_and_the_window_is_the_same_for_every_row(tmp_path):
    dim = heart() * 0.5
    draw_contact_sheet([CineGroup("", [real(), real(dim)])], tmp_path / "a", frames=2)
    shown = imread(tmp_path / "a.png")[..., 0]
    spots, _ = label((shown > 0.45) & (shown < 0.95))
    discs = [box for box in find_objects(spots) if shown[box].size > 2000]
    found = []
    for rows, columns in discs:
        assert rows.stop - rows.start == pytest.approx(columns.stop - columns.start, abs=1)
        found.append(shown[(rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2])
    # 0.6 and 0.3 of a window from -1 to 1.
    assert sorted(found) == pytest.approx([0.65, 0.65, 0.8, 0.8], abs=0.02)


def test_the_ends_of_a_phenotype_are_the_tenths_of_those_who_have_a_value(tmp_path):
    values = np.concatenate([np.arange(40.0), [np.nan] * 5])[::-1]
    cines = np.stack([heart(6 + 0.01 * place) for place in range(45)])
    draw_decile_sheet(
        [real(cines), drawn(cines)], values, tmp_path / "a", phenotype="LV mass", unit="g"
    )
    texts = svg(tmp_path / "a")
    assert "lowest tenth of LV mass: 0 to 3 g" in texts
    assert "highest tenth of LV mass: 36 to 39 g" in texts
    assert texts.count("mean of 4") == 2
    assert {"0 g", "2 g", "3 g", "36 g", "38 g", "39 g"} <= set(texts)


def test_a_tenth_reads_only_the_cines_that_it_shows(tmp_path):
    asked = set()

    class Counting:
        def __len__(self):
            return 100

        def __getitem__(self, place):
            asked.add(int(place))
            return heart()

    rows = [real(Counting())]
    draw_decile_sheet(rows, np.arange(100.0), tmp_path / "a", phenotype="LV mass")
    assert asked == {*range(10), *range(90, 100)}


def test_side_by_side_marks_each_panel_above_it(tmp_path):
    write_side_by_side([real(), drawn()], tmp_path / "a.gif", cycle_s=0.5, foot=["made up"])
    with Image.open(tmp_path / "a.gif") as gif:
        # Equal neighbours are one frame that is shown for longer.
        durations = []
        for number in range(gif.n_frames):
            gif.seek(number)
            durations.append(gif.info["duration"])
        assert sum(durations) == 500
        assert min(durations) == 50
        assert gif.info["comment"] == b"made-up: SYNTHETIC"
        left, right = np.split(np.asarray(gif.convert("L")), [gif.width // 2], axis=1)
    assert left[:20].max() == 0
    assert right[:25].max() == 255


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda path: draw_contact_sheet([], path), "no cine to draw"),
        (lambda path: draw_ed_es_sheet([CineGroup("", [])], path), "no cine to draw"),
        (
            lambda path: draw_ed_es_sheet(
                [CineGroup("", [real()]), CineGroup("", [drawn()])], path
            ),
            "different labels",
        ),
        (
            lambda path: draw_decile_sheet(
                [real(np.stack([heart()] * 9))], np.arange(9.0), path, phenotype="x"
            ),
            "from 9 values",
        ),
        (
            lambda path: draw_decile_sheet(
                [real(np.stack([heart()] * 9))], np.arange(20.0), path, phenotype="x"
            ),
            "as many cines as values",
        ),
        (lambda path: write_side_by_side([real(), drawn(heart(frames=5))], path), "one shape"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_writes_nothing(tmp_path, draw, said):
    with pytest.raises(EvaluationError, match=said) as refused:
        draw(tmp_path / "a")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_stored_pixels_are_not_taken_for_a_cine(tmp_path):
    with pytest.raises(CineError, match=r"x / 127\.5 - 1"):
        draw_contact_sheet([CineGroup("", [real(heart().astype(np.uint8))])], tmp_path / "a")
