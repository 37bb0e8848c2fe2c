"""Draw the picture of the README and the documents: what becomes of what, with the figures of the README's table.

`python bench/picture.py` draws it again; `bench/main.py headline` does so when it has measured.
"""

from __future__ import annotations

import re
from pathlib import Path

from overproof.bundle.model_names import DISTILLED, FULL, QUANTIZED
from overproof.report.words import size

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE, PICTURE = ROOT / "bench" / "pipeline.svg", ROOT / "docs" / "assets" / "pipeline.svg"
README = ROOT / "README.md"
BYTES, TIME, RIGHT = "bytes", "one event, p50 ms", "accuracy"
WHERE = "real HTTP payloads, one core"


def drawn(table: str) -> str:
    """Fill the figures of a table of models into the picture."""
    head, _, *lines = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in _rows(table))
    rows = {name: dict(zip(head[-len(cells) :], cells, strict=True)) for name, *cells in lines}
    shown = {"where": f"Measured on {WHERE}: size, time of one event, share right"}
    for name, place in ((FULL, "full"), (DISTILLED, "distilled"), (QUANTIZED, "quantized")):
        row = rows[name]
        shown[place] = f"{size(float(row[BYTES].replace(',', '')))} · {row[TIME]} ms"
        shown[f"{place}_right"] = f"{row[RIGHT]} right"
    teacher, student, quantized = (
        f"{shown[place]}, {shown[f'{place}_right']}" for place in ("full", "distilled", "quantized")
    )
    shown["measured"] = f"On {WHERE}, an event each, teacher: {teacher}; student: {student}; in INT8: {quantized}."
    return re.sub(r"\{(\w+)\}", lambda found: shown[found[1]], TEMPLATE.read_text())


def _rows(table: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith("|")]


def headline() -> str:
    """Return the README's table as it stands."""
    return README.read_text().partition("<!-- bench: headline -->")[2].partition("<!-- end -->")[0]


if __name__ == "__main__":
    PICTURE.write_text(drawn(headline()))
