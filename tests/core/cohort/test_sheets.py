from __future__ import annotations

import struct

import numpy as np
import pytest
from matplotlib.figure import Figure

from cardionets_core.cohort.sheets import draw_cine_sheet, draw_ecg_sheet, pick_rows
from cardionets_core.errors import UsageError


def png_size(path):
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


@pytest.fixture
def texts(monkeypatch):
    """Every text of the figures that are saved."""
    found = []
    save = Figure.savefig

    def remember(figure, *arguments, **options):
        found.extend(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    return found


def test_ecg_sheet_names_leads_scale_record_and_that_it_is_simulated(tmp_path, cohort, texts):
    draw_ecg_sheet(cohort, [0, 3, 5], tmp_path / "ecg.png")
    width, height = png_size(tmp_path / "ecg.png")
    assert width > height > 500
    for wanted in ("aVR", "V6", "simulated, no patients"):
        assert wanted in texts
    assert any("25 mm/s, 10 mm/mV" in text for text in texts)
    assert any(str(cohort.record_ids[3]) in text for text in texts)
    assert [p.name for p in tmp_path.iterdir()] == ["ecg.png"]


def test_cine_sheet_shows_as_many_frames_as_asked(tmp_path, cohort, texts):
    draw_cine_sheet(cohort, [0, 3], tmp_path / "cine.png", frames=5)
    width, _ = png_size(tmp_path / "cine.png")
    assert width > 500
    assert [text for text in texts if text.isdecimal()] == ["1", "11", "21", "31", "41"] * 2
    assert "simulated, no patients" in texts


def test_sheets_without_rows_or_without_the_signal_are_refused(tmp_path, cohort):
    with pytest.raises(UsageError, match=r"no row of"):
        draw_ecg_sheet(cohort, [], tmp_path / "x.png")
    with pytest.raises(UsageError, match=r"row 1 of .* has no cine"):
        draw_cine_sheet(cohort, [1], tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_rows_are_picked_evenly_and_have_what_is_drawn(cohort):
    np.testing.assert_array_equal(pick_rows(cohort, 3), [0, 6, 11])
    np.testing.assert_array_equal(pick_rows(cohort, 9, with_cine=True), [0, 3, 6, 9])
