"""Figures of a study: in both formats, stamped, searchable, the same on every run."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from cardionets_core.evaluate import plots
from cardionets_core.evaluate.plots.layout import grid_shape, legend_shape
from cardionets_core.evaluate.plots.looks import EN_DASH, MINUS, looks, p_text, signed

VARIANTS = ["Scratch", "SSL", "CardioNets"]
FIGURES = (
    "bars",
    "ratios",
    "labels",
    "roc",
    "confusion",
    "forest",
    "calibration",
    "decision",
    "heat",
    "subgroups",
)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_written_as_png_and_as_svg_whose_text_can_be_searched(
    tmp_path, name, draw, texts
):
    svg = draw(name, tmp_path / "a.b", title="Heading of the figure")
    assert {file.name for file in tmp_path.iterdir()} == {"a.b.png", "a.b.svg"}
    assert imread(tmp_path / "a.b.png").std() > 0.01
    missing = {text for text in texts(name) if f">{text}</" not in svg}
    assert not missing
    assert ">Heading of the figure<" in svg
    assert "simulated" not in svg
    assert "overlap" not in svg


@pytest.mark.parametrize("name", FIGURES)
def test_both_stamps_are_drawn_and_the_table_stays_unchanged(tmp_path, name, draw, table):
    own, fresh = table(name), table(name)
    svg = draw(name, tmp_path / "figure", own, simulated=True, overlap=True)
    assert "simulated data" in svg
    assert "pre-training and test subjects overlap" in svg
    if isinstance(fresh, pd.DataFrame):
        pd.testing.assert_frame_equal(own, fresh)
    else:
        assert str(own) == str(fresh)


def test_each_stamp_is_drawn_without_the_other(tmp_path, draw):
    simulated = draw("heat", tmp_path / "figure", simulated=True)
    assert ">simulated data<" in simulated
    assert "overlap" not in simulated
    overlap = draw("heat", tmp_path / "figure", overlap=True)
    assert ">pre-training and test subjects overlap<" in overlap
    assert "simulated" not in overlap


def test_bars_of_auc_say_that_they_start_at_chance_and_those_of_r2_start_at_zero(
    tmp_path, draw, table
):
    wide = pd.concat([table("bars").assign(panel=task) for task in ("CM", "HF", "CAD", "PH")])
    bare = wide.drop(columns="points")
    assert "bars start at 0.5 (chance)" in draw("bars", tmp_path / "figure", bare)
    plots.bar_figure(table("bars"), tmp_path / "figure", metric="r2", simulated=False)
    assert "bars start" not in (tmp_path / "figure.svg").read_text(encoding="utf-8")


def test_what_the_error_bars_are_is_printed(tmp_path, draw, table):
    assert "error bars: 95 % CI; dots: single seeds" in draw("bars", tmp_path / "figure")
    bare = table("bars").drop(columns=["points", "p"])
    svg = draw("bars", tmp_path / "figure", bare, interval="SD over 5 folds")
    assert ">error bars: SD over 5 folds; " in svg


def test_seeds_and_p_values_may_be_there_for_some_bars_only(tmp_path, draw, table):
    bare = table("bars").drop(columns=["points", "p"]).assign(panel="HF")
    svg = draw("bars", tmp_path / "figure", pd.concat([table("bars").assign(panel="CM"), bare]))
    assert all(text in svg for text in (">CM<", ">HF<", "dots: single seeds"))


def test_labels_are_drawn_on_a_log_axis_only_beyond_tenfold(tmp_path, monkeypatch, draw, table):
    scales = []
    set_scale = mpl.axes.Axes.set_xscale
    monkeypatch.setattr(
        mpl.axes.Axes,
        "set_xscale",
        lambda axes, scale, **options: (scales.append(scale), set_scale(axes, scale, **options)),
    )
    draw("labels", tmp_path / "figure", table("labels").query("labels < 1000"))
    assert "log" not in scales
    draw("labels", tmp_path / "figure")
    assert scales == ["log"]


def test_a_single_label_count_or_single_variant_is_drawn(tmp_path, draw, table):
    assert ">300<" in draw("labels", tmp_path / "figure", table("labels").query("labels == 300"))
    one = table("labels").query("variant == 'SSL'")
    assert ">SSL<" in draw("labels", tmp_path / "figure", one)


def test_levels_of_fewer_than_10_are_neither_counted_nor_estimated(tmp_path, draw, table):
    own = table("subgroups")
    small = own["n"] < 10
    own.loc[small, "estimate"] = 0.123
    hidden = draw("subgroups", tmp_path / "figure", own)
    own.loc[small, ["estimate", "low", "high", "n"]] = [np.nan, np.nan, np.nan, 3]
    assert hidden == draw("subgroups", tmp_path / "figure", own)
    assert ">9<" not in hidden


def test_subgroups_that_are_all_too_small_are_listed(tmp_path, draw, table):
    svg = draw("subgroups", tmp_path / "figure", table("subgroups").assign(n=4))
    assert svg.count(">fewer than 10<") == 3


def test_variants_scored_on_different_numbers_show_their_range(tmp_path, draw, table):
    own = table("subgroups")
    own.loc[0, "n"] = 400
    assert f">400{EN_DASH}412<" in draw("subgroups", tmp_path / "figure", own)


def test_a_class_without_records_shows_no_percentages(tmp_path, draw):
    svg = draw("confusion", tmp_path / "figure", {"SSL": [[0, 0, 0], [0, 5, 0], [0, 0, 5]]})
    assert svg.count("(0 %)") == 4


def test_dollar_signs_in_names_are_printed_as_they_are(tmp_path, draw, table):
    own = table("bars").replace({"variant": {"SSL": "$a_1$"}})
    assert ">$a_1$<" in draw("bars", tmp_path / "figure", own)


def test_a_variant_keeps_its_colour_in_a_figure_without_the_others():
    everyone = looks(VARIANTS)
    assert looks(["CardioNets"], VARIANTS)["CardioNets"] == everyone["CardioNets"]
    assert looks(["CardioNets"])["CardioNets"] != everyone["CardioNets"]


def test_eight_variants_have_colours_and_markers_of_their_own_and_more_differ_by_dash():
    eight = looks([str(i) for i in range(8)]).values()
    assert len({look.colour for look in eight}) == len({look.marker for look in eight}) == 8
    assert len(set(looks([str(i) for i in range(32)]).values())) == 32


@pytest.mark.parametrize("name", ["bars", "roc", "heat"])
def test_the_same_table_gives_the_same_bytes(tmp_path, name, draw):
    draw(name, tmp_path / "one")
    draw(name, tmp_path / "two")
    for suffix in ("png", "svg"):
        one, two = ((tmp_path / f"{stem}.{suffix}").read_bytes() for stem in ("one", "two"))
        assert one == two


def test_figures_drawn_in_threads_equal_those_drawn_alone_and_leave_no_setting(tmp_path, draw):
    before = dict(mpl.rcParams)
    names = ["bars", "forest", "roc", "heat"]
    alone = [draw(name, tmp_path / f"alone {name}") for name in names]
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda name: draw(name, tmp_path / f"beside {name}"), names))
    assert beside == alone
    assert dict(mpl.rcParams) == before


def test_p_values_and_differences_read_as_a_journal_prints_them():
    assert [p_text(p) for p in (0.0009, 0.001, 0.04999, 1.0)] == [
        "< 0.001",
        "0.001",
        "0.050",
        "1.000",
    ]
    assert [signed(d) for d in (0.1, -0.0251, -1e-9)] == ["+0.100", f"{MINUS}0.025", "+0.000"]


def test_panels_and_legends_are_evened_out():
    assert [grid_shape(n, 4) for n in (1, 4, 5, 7)] == [(1, 1), (1, 4), (2, 3), (2, 4)]
    assert legend_shape(["Scratch"] * 5, 10.0) == (1, 5)
    assert legend_shape(["Scratch"] * 5, 4.2) == (2, 3)
    assert legend_shape(["A very long name of a variant"] * 3, 1.0) == (3, 1)


def test_matplotlib_and_pandas_are_imported_only_when_a_figure_is_drawn():
    code = (
        "import sys, cardionets_core.evaluate.plots; "
        "print({'matplotlib', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
