"""The report of ``prepare``: what it counts, what it hides, and what is never in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
from made_up_source import MADE_UP, REAL, MadeUp, made_up_subject
from pydantic import Field

from cardionets_core.cohort.reporting import window as window_module
from cardionets_core.cohort.reporting.collecting import collect
from cardionets_core.cohort.reporting.provenance_facts import Run, shown_options
from cardionets_core.cohort.reporting.writing import report_paths, write_report
from cardionets_core.cohort.writer import prepare
from cardionets_core.config import Options
from cardionets_core.errors import CohortError, SourceError
from cardionets_core.interfaces import SelectionStep

RUN = Run(2.0, 12, "1 on this machine")


class Inner(Options):
    spacing_mm: float = Field(1.0, description="spacing")


class MadeUpOptions(Options):
    source: Path = Field(Path("/archive/Müller, Hans"), description="folder")
    tables: tuple[Path, ...] = Field((Path("hans.csv"),), description="tables")
    style: Literal["rap", "csv"] = Field("csv", description="style")
    column: str = Field("all_diag", description="column")
    word: str = Field("", description="any text")
    limit: int | None = Field(None, description="limit")
    inner: Inner = Field(Inner(), description="options of a part")


@dataclass
class Selected(MadeUp):
    """The made-up source with options and a story of its listing."""

    config: ClassVar[MadeUpOptions] = MadeUpOptions(word="Hans", style="rap")
    steps: tuple[SelectionStep, ...] = field(default=())

    def selection(self):
        return self.steps


def steps(listed, persons=None):
    return (
        SelectionStep("files in the tree", listed + 133),
        SelectionStep("of a known format", listed + 13, excluded={"unknown format <b>": 120}),
        SelectionStep("listed", listed, persons, {"no label": 9, "withdrawn": 4}),
    )


@pytest.fixture
def report_of(tmp_path):
    """Prepare a source and report on it; the JSON, and the HTML as text."""

    def report_of(dataset, provenance=MADE_UP, **options):
        out = tmp_path / "c.h5"
        prepare(dataset, out, seed=3, provenance=provenance, existing="overwrite", **options)
        paths = write_report(out, dataset, RUN)
        return json.loads(paths.json.read_text()), paths.html.read_text()

    return report_of


def rows(report, table):
    return report["tables"][table]["rows"]


def by(report, table, key):
    return {row[key]: row for row in rows(report, table)}


def test_the_flow_goes_from_the_source_over_what_was_left_out_to_the_sides(report_of):
    dataset = Selected(steps=steps(12, 6), broken=(3,), crashing=(4, 5))
    report, html = report_of(dataset)
    told = [(s["label"], s["records"], s["persons"]) for s in report["flow"]["steps"]]
    assert told == [
        ("files in the tree", 145, None),
        ("of a known format", 25, None),
        ("listed", 12, 6),
        ("Stored in the cohort", 9, 5),
    ]
    excluded = [
        {e["reason"]: e["records"] for e in step["excluded"]} for step in report["flow"]["steps"]
    ]
    assert excluded[:2] == [{"unknown format <b>": 120}, {"no label": 9, "withdrawn": 4}]
    assert sorted(excluded[2].values()) == [1, 2]
    assert report["flow"]["stored"] == {"ecg": 9, "usable": 9, "cine": 3, "both": 3}
    assert sum(side["records"] for side in report["flow"]["sides"]) == 9
    assert "12 records of 6 persons" in html
    assert "9: no label" in html


def test_a_source_without_a_story_starts_with_its_listing(report_of):
    dataset = Selected(steps=(), broken=(3,))
    del_selection = type("Plain", (MadeUp,), {"config": MadeUpOptions()})(broken=(3,))
    for source in (dataset, del_selection):
        report, _ = report_of(source)
        labels = [s["label"] for s in report["flow"]["steps"]]
        assert labels == ["Records listed by the source", "Stored in the cohort"]
        assert report["flow"]["steps"][0]["records"] == 12


def test_what_a_source_does_not_explain_is_told_as_such(report_of):
    told = (SelectionStep("all", 20), SelectionStep("listed", 12, excluded={"closed": 5}))
    report, _ = report_of(Selected(steps=told))
    assert report["flow"]["steps"][0]["excluded"] == [
        {"reason": "closed", "records": 5},
        {"reason": "reason not given by the source", "records": 3},
    ]


def test_an_extended_cohort_is_reported_as_a_whole(tmp_path):
    out = tmp_path / "c.h5"
    prepare(MadeUp(records=6), out, seed=3, provenance=MADE_UP)
    later = Selected(records=8, first=4, steps=steps(8))
    prepare(later, out, seed=3, provenance=MADE_UP, existing="extend")
    report = json.loads(write_report(out, later, RUN).json.read_text())
    told = [(s["label"], s["records"]) for s in report["flow"]["steps"]]
    assert told[-3:] == [("listed", 8), ("Records read", 12), ("Stored in the cohort", 12)]
    assert "another number of records now" in report["flow"]["notes"][0]
    assert report["provenance"]["extended"]


def test_a_source_that_cannot_tell_its_story_costs_that_part_only(report_of):
    class Silent(Selected):
        def selection(self):
            raise SourceError("/archive/hans.csv is gone")

    report, html = report_of(Silent())
    assert report["notes"] == [
        "The source could not tell how its listing came about (SourceError)."
    ]
    assert "hans.csv" not in html


def test_tables_count_what_the_cohort_holds(report_of):
    report, _ = report_of(Selected())
    sides = rows(report, "sides")
    assert sides[-1] == {
        "role": "all", "split": "", "persons": 6, "records": 12, "with_ecg": 12, "usable": 12,
        "with_cine": 4, "with_both": 4,
    }  # fmt: skip
    assert sum(row["records"] for row in sides[:-1]) == 12
    downstream = sum(row["records"] for row in sides[:-1] if row["role"] == "downstream")
    assert sum(row["records"] for row in rows(report, "folds")) == downstream
    phenotypes = by(report, "phenotypes", "name")
    ejection = [50.0 + i if i % 4 else 50.0 for i in range(12)]
    assert len(phenotypes) == 83
    found = phenotypes["LV ejection fraction"]
    assert (found["persons"], found["records"], found["missing"]) == (6, 12, 0)
    assert found["mean"] == pytest.approx(np.mean(ejection))
    assert found["sd"] == pytest.approx(np.std(ejection, ddof=1))
    assert phenotypes["LV end diastolic volume"]["missing"] == 3
    assert phenotypes["RA stroke volume"]["mean"] is None
    assert phenotypes["all 82"]["records"] == 0
    ages = by(report, "sex_and_age", "age_years")
    assert ages["all"]["all"] == 12
    assert ages["unknown"]["all"] == 3
    assert ages["40 to 49"]["all"] == 8
    assert by(report, "mean_age", "sex")["female"]["records"] == 3
    extras = by(report, "extra_columns", "column")
    assert extras["height_cm"]["records"] == 6
    assert extras["height_cm"]["mean"] == pytest.approx(176.0)
    assert extras["= A"]["records"] == extras["= B"]["records"] == 6


def test_labels_count_cases_controls_and_unknown_of_every_task_on_diagnoses(report_of):
    report, _ = report_of(Selected())
    whole = {row["task"]: row for row in rows(report, "labels") if row["role"] == "all"}
    # Odd records have I25.1 before the visit and I50 without a date, even ones I42 after it.
    assert whole["cad"] | {"task": "", "role": ""} == {
        "task": "", "role": "", "split": "", "cases_persons": 6, "controls_persons": 6,
        "unknown_persons": 0, "cases_records": 6, "controls_records": 6, "unknown_records": 0,
    }  # fmt: skip
    assert whole["hf"]["cases_records"] == 6
    assert (whole["cm"]["cases_records"], whole["cm"]["unknown_records"]) == (0, 6)
    for task, row in whole.items():
        sides = [r for r in rows(report, "labels") if r["task"] == task and r["role"] != "all"]
        assert sum(r["cases_records"] for r in sides) == row["cases_records"]


def test_quality_and_duplicates_are_counted_by_kind(report_of):
    # Records 0 and 1 are one person's, 4 is another's; 8 repeats 0 under a third one.
    dataset = Selected(same_signal_as={1: 0, 8: 5}, roles=dict.fromkeys(range(12), "pretrain"))
    report, _ = report_of(dataset)
    assert by(report, "quality", "verdict")["usable"]["share"] == 1.0
    kinds = by(report, "duplicates", "stored")
    several = kinds["under several persons"]
    assert (several["signals"], several["records"], several["persons"]) == (1, 2, 2)
    same = kinds["several times under one person"]
    assert (same["signals"], same["records"], same["persons"]) == (1, 2, 1)
    assert by(report, "quality", "verdict")["duplicate-signal"]["records"] == 2


def test_windows_of_any_size_count_the_same(tmp_path, monkeypatch):
    out = tmp_path / "c.h5"
    prepare(Selected(), out, seed=3, provenance=MADE_UP)
    whole = [table.plain() for table in collect(out, (), ()).tables]
    monkeypatch.setattr(
        "cardionets_core.cohort.reporting.collecting.windows",
        lambda path: window_module.windows(path, rows_at_once=5),
    )
    in_parts = [table.plain() for table in collect(out, (), ()).tables]
    assert rounded(whole) == rounded(in_parts)


def rounded(told):
    """The same with floats to nine digits: means may differ in the last ones."""
    if isinstance(told, dict):
        return {key: rounded(value) for key, value in told.items()}
    if isinstance(told, list):
        return [rounded(value) for value in told]
    return float(f"{told:.9g}") if isinstance(told, float) else told


def test_the_quarantine_is_listed_by_hmac_ids_with_reasons(report_of, tmp_path):
    report, html = report_of(Selected(broken=(3,)))
    (entry,) = report["quarantine_list"]["records"]
    assert entry["reason"].startswith("EcgError: <path>: no leads")
    assert re.fullmatch("[0-9a-f]{16}", entry["record_id"])
    assert entry["record_id"] in html
    left_out = rows(report, "left_out")
    assert left_out[-1]["records"] == 1


def numbers_in(report):
    """Every count of a report, wherever it stands."""
    if isinstance(report, dict):
        if report.keys() == {"at_least", "at_most"}:
            return
        for key, value in report.items():
            if key not in {"version", "smallest_count_shown", "provenance", "share", "mean", "sd"}:
                yield from numbers_in(value)
    elif isinstance(report, list):
        for value in report:
            yield from numbers_in(value)
    elif isinstance(report, int) and not isinstance(report, bool):
        yield report


def test_no_count_of_1_to_9_real_people_is_in_the_report(report_of):
    dataset = Selected(records=60, steps=steps(60, 30), broken=(3,), same_signal_as={1: 0})
    report, html = report_of(dataset, REAL)
    assert not set(numbers_in(report)) & set(range(1, 10))
    assert report["smallest_count_shown"] == 10
    shown = " ".join(Words.of(html))
    for match in re.finditer(r"\b([1-9]) (?:records?|persons?)\b", shown):
        pytest.fail(match.group())
    assert "<10" in shown
    assert 1 in set(numbers_in(report_of(dataset, MADE_UP)[0]))


def test_statistics_of_few_people_are_hidden(report_of):
    report, _ = report_of(Selected(), REAL)
    ejection = by(report, "phenotypes", "name")["LV ejection fraction"]
    assert (ejection["mean"], ejection["sd"]) == ("hidden", "hidden")
    assert by(report, "mean_age", "sex")["female"]["mean_years"] == "hidden"


def test_rare_texts_of_real_people_are_not_told(report_of):
    class Rare(Selected):
        def read(self, ref):
            found = made_up_subject(ref.location, ref.location)
            return type(found)(
                **{
                    **{name: getattr(found, name) for name in found.__dataclass_fields__},
                    "attributes": {"ward": "odd one" if ref.location == 0 else "usual"},
                }
            )

    report, html = report_of(Rare(records=60), REAL)
    columns = [row["column"] for row in rows(report, "extra_columns")]
    assert columns == ["ward", "= usual", "= other texts, each of few people"]
    assert "odd one" not in html
    assert "= odd one" in by(report_of(Rare(records=60))[0], "extra_columns", "column")


def test_a_simulated_cohort_says_so_in_title_and_json(report_of):
    report, html = report_of(Selected())
    assert report["title"] == "SIMULATED cohort c.h5"
    assert (report["data"], report["simulated"]) == ("SIMULATED", True)
    assert "<title>SIMULATED cohort c.h5</title>" in html
    real, html = report_of(Selected(), REAL)
    assert (real["data"], real["simulated"]) == ("real", False)
    assert "SIMULATED" not in html


def test_neither_ids_nor_paths_nor_typed_words_of_the_source_are_in_the_report(report_of):
    report, html = report_of(Selected(broken=(3,), crashing=(4,)), REAL)
    for told in (json.dumps(report, ensure_ascii=False), html):
        for secret in ("person-", "record-", "hospital", "Müller", "Hans", "1234567", "2020-01-02"):
            assert secret not in told


def test_of_options_only_numbers_switches_fixed_words_and_defaults_are_shown():
    assert shown_options(Selected.config) == {
        "source": "<path>",
        "tables": ["<path>"],
        "style": "rap",
        "column": "all_diag",
        "word": "<text>",
        "limit": None,
        "inner": {"spacing_mm": 1.0},
    }


class Words(HTMLParser):
    """Texts and outside references of a page."""

    def __init__(self):
        super().__init__()
        self.words, self.references, self.open, self.in_style = [], [], [], False

    @classmethod
    def of(cls, html):
        parser = cls()
        parser.feed(html)
        parser.close()
        assert parser.open == []
        return parser.words

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.in_style = tag == "style"
        self.references += [v for k, v in attrs if k in {"src", "href"} and not v.startswith("#")]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.in_style = False

    def handle_data(self, data):
        if not self.in_style:
            self.words.append(data)


def test_the_page_is_well_formed_escaped_and_needs_nothing_from_outside(report_of):
    hostile = '<script>alert(1)</script> & "quotes" \'n all'
    told = (SelectionStep(hostile, 20), SelectionStep("listed", 12, excluded={hostile: 8}))
    report, html = report_of(Selected(steps=told))
    parser = Words()
    parser.feed(html)
    assert parser.open == []
    assert parser.references == []
    assert "<script" not in html
    assert "url(http" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert report["flow"]["steps"][0]["label"] == hostile


def test_boxes_of_the_diagram_hold_their_words(report_of):
    long = "a reason that goes on " * 12 + "W" * 90
    chinese = "参与者未撤回同意的记录" * 8
    told = (SelectionStep(chinese, 20), SelectionStep("listed", 12, excluded={long: 8}))
    _, html = report_of(Selected(steps=told))
    for width, height, texts in re.findall(
        r'<rect [^>]*width="([\d.]+)" height="([\d.]+)"/>((?:<text.*?</text>)+)', html
    ):
        lines = re.findall(r"<text[^>]*>(.*?)</text>", texts)
        assert 19 * len(lines) <= float(height) + 1
        for line in lines:
            wide = sum(14 if ord(c) > 0x2E80 else 7 for c in line)
            assert wide <= float(width)


def test_many_reasons_are_drawn_as_the_most_frequent_ones_and_all_in_the_table(report_of):
    reasons = {f"reason number {n}": 30 - n for n in range(20)}
    told = (
        SelectionStep("all", 12 + sum(reasons.values())),
        SelectionStep("listed", 12, excluded=reasons),
    )
    report, html = report_of(Selected(steps=told))
    assert "and for 12 further reasons: see the table" in html
    assert [row["reason"] for row in rows(report, "left_out")] == list(reasons)


def test_a_report_that_cannot_be_written_leaves_the_cohort_and_no_old_report(tmp_path, monkeypatch):
    out = tmp_path / "c.h5"
    prepare(Selected(), out, seed=3, provenance=MADE_UP)
    assert write_report(out, Selected(), RUN) == report_paths(out)
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["c.h5", "c.h5.key", "c.h5.report.html", "c.h5.report.json"]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cardionets_core.cohort.reporting.writing.write_whole", full)
    with pytest.raises(CohortError, match=r"c.h5 is whole, but its report cannot be written"):
        write_report(out, Selected(), RUN)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.h5", "c.h5.key"]


def test_provenance_tells_versions_hash_and_speed(report_of):
    report, html = report_of(Selected())
    told = report["provenance"]
    assert (told["dataset"], told["distribution"], told["seed"]) == ("made-up", "tests 0", 3)
    assert told["run"] == {
        "seconds": 2.0,
        "records_per_second": 6.0,
        "workers": "1 on this machine",
    }
    assert len(told["content_hash"]) == 64
    assert told["content_hash"] in html
    assert "python" in told["versions"]
