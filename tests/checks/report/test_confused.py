"""The section on what events are taken for: labels given and the map of the embedding, in pictures and in words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from overproof.checks.base import FULL, QUANTIZED
from overproof.checks.confusion import Confusion, ConfusionCell, ConfusionRow
from overproof.checks.pairs import share
from overproof.checks.report import CheckReport
from overproof.checks.report.check_report import ADDED, EARLIER, sealed
from overproof.checks.report.compared import compare
from overproof.checks.report.confused import confused
from overproof.checks.report.confusion import FEW, LISTED, MOST, wrong
from overproof.checks.report.embedding_map import in_words
from overproof.checks.stats import Interval
from overproof.report.not_measured import NotMeasured

from .figures import EVIL

DIFFERS = Interval(0.02, 0.01, 0.03)


def text_of(drawn: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", drawn))


def many(labels: int) -> Confusion:
    """So many labels, of whose events every label gets some."""
    names = tuple(f"label-{i:02d}" for i in range(labels))

    def row(name: str) -> ConfusionRow:
        cells = tuple(
            ConfusionCell(
                called,
                {
                    FULL: share(100 - 2 * (labels - 1), 100) if called == name else share(2, 100),
                    QUANTIZED: share(100 - labels + 1, 100) if called == name else share(1, 100),
                },
                DIFFERS if (name, called) == ("label-01", "label-00") else Interval(-0.01, -0.05, 0.05),
            )
            for called in names
        )
        return ConfusionRow(name, (name,), 100, 99, cells)

    return Confusion(names, tuple(map(row, names)), (), 0.999)


def test_cells_of_few_labels_hold_count_share_and_interval_of_both_models(everything: CheckReport) -> None:
    shown = confused(everything)
    assert everything.confusion.labels and len(everything.confusion.labels) <= FEW  # type: ignore[union-attr]
    text = text_of(shown)
    assert "80 2.05 % [1.65, 2.55]" in text and "full: 47 1.21 % [0.91, 1.60]" in text
    assert "Of 11,401 labelled events get another label than the true one" in text
    assert "The two models differ by more than chance (1 of" in text and "attack called benign" in text
    assert shown.count("differs by more than chance") == 1
    assert EVIL not in shown


def test_cells_of_many_labels_hold_counts_and_the_figures_are_folded(everything: CheckReport) -> None:
    shown = confused(replace(everything, confusion=many(FEW + 2)))
    table, _, figures = shown.partition("Every wrong label in figures")
    assert f"What events of {FEW + 2} labels are called" in table
    assert "1, 1.00 % [" not in text_of(table) and "1, 1.00 % [0.18, 5.45]" in text_of(figures)
    assert "2.00 % [1.00, 3.00] \N{NOT EQUAL TO}" in text_of(figures)


def test_the_true_label_of_a_family_is_no_wrong_one(everything: CheckReport) -> None:
    assert not isinstance(everything.confusion, NotMeasured)
    listed = wrong(everything.confusion.families)
    assert {cell.called for _, cell in listed} == {"benign"} and len(listed) == len(everything.confusion.families) - 1
    families = confused(everything).partition("families are called")[2].partition("Every wrong label")[0]
    assert families.count('class="same"') == len(everything.confusion.families)


def test_of_very_many_labels_the_most_confused_are_drawn_and_it_is_said(everything: CheckReport) -> None:
    shown = text_of(confused(replace(everything, confusion=many(MOST + 4))))
    assert f"The {MOST} of {MOST + 4} with most wrong labels" in shown
    assert f"The {LISTED} most frequent of {(MOST + 4) * (MOST + 3)}" in shown


def test_one_of_a_kind_alone_says_so(everything: CheckReport) -> None:
    def without_full(row: ConfusionRow) -> ConfusionRow:
        cells = tuple(ConfusionCell(cell.called, {QUANTIZED: cell.models[QUANTIZED]}, None) for cell in row.cells)
        return replace(row, cells=cells)

    found = many(3)
    alone = replace(found, rows=tuple(map(without_full, found.rows)))
    assert "Without a full model nothing is compared." in text_of(confused(replace(everything, confusion=alone)))


def test_the_map_tells_in_words_what_it_shows(everything: CheckReport) -> None:
    shown = confused(everything)
    found = everything.embedding_map
    assert not isinstance(found, NotMeasured)
    said = in_words(found, everything)
    assert said == (
        "Nearer to benign events than to other attacks: 27 of 33 (81.82 % [65.61, 91.39]) that distilled + INT8 misses "
        "and the full model detects, 6 of 380 (1.58 % [0.73, 3.40]) that it detects."
    )
    assert said in text_of(shown) and said in re.search(r"<desc>(.*?)</desc>", shown)[1]  # type: ignore[index]
    assert "attack, missed by the student alone (33)" in text_of(shown)
    for kind in ("benign", "detected", "missed-by-both", "missed"):
        assert len(re.findall(f'class="place {kind}"', shown)) == 2  # in the legend, and on the map
    paths = dict(re.findall(r'<path d="([^"]*)" class="place ([^"]*)"', shown.partition("<figure>")[2]))
    assert {kind: d.count("M") for d, kind in paths.items()} == {
        "benign": 400,
        "detected": 380,
        "missed-by-both": 20,
        "missed": 33,
    }


def test_without_misses_and_without_a_full_model_it_says_that(everything: CheckReport) -> None:
    found: Any = everything.embedding_map
    none = replace(found, missed=share(0, 0))
    assert in_words(none, everything).startswith("There is no attack that distilled + INT8 misses and the full model")
    alone = replace(everything, absent={FULL: "none was given"})
    assert "that distilled + INT8 misses, 6 of 380" in in_words(found, alone)
    assert "attack, missed (33)" in text_of(confused(alone))


def test_a_reason_stands_where_there_is_no_map(everything: CheckReport) -> None:
    bare = replace(everything, embedding_map=NotMeasured("none <b>"), confusion=NotMeasured("no event has a label"))
    text = confused(bare)
    assert "no map of the embedding: none &lt;b&gt;" in text and "no event has a label" in text


def test_a_file_of_an_earlier_version_is_read_and_says_what_it_lacks(
    everything: CheckReport, stored: dict[str, Any], tmp_path: Path
) -> None:
    for name in ADDED:
        del stored[name]
    path = tmp_path / "check.json"
    path.write_text(json.dumps(sealed(stored)), "utf-8")
    earlier = CheckReport.read(path)
    assert (earlier.confusion, earlier.embedding_map) == (EARLIER, EARLIER)
    assert confused(earlier).count("by an earlier version") == 2
    assert not compare(earlier, everything).closed
