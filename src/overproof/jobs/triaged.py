"""Judge files from Python: the verdicts as a table in memory, for notebooks and pipelines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from overproof.bundle.signing import Trust
from overproof.errors import InputError
from overproof.events.sources import Columns, Reading
from overproof.inference.sinks import severity
from overproof.inference.stream import Request, Summary
from overproof.jobs.deploy_config import CascadeConfig, TriageConfig
from overproof.jobs.triage import triage
from overproof.progress import NOTEBOOK, Console
from overproof.report.markup import Html, many, name, table
from overproof.report.notebook import as_text, pandas

SHOWN = 20  # verdicts on a notebook's page, the likeliest attacks first
_JSON = ("student_probabilities", "full_probabilities", "event", "spans", "campaign")  # columns that hold JSON
_COLUMNS = ("time", "label", "attack", "source", "src_ip", "dst_ip", "origin")


@dataclass(frozen=True, repr=False)
class Triaged:
    """Verdicts on all events of some files.

    Attributes
    ----------
    table
        A row a verdict, in the columns of docs/verdict-schema.md (Parquet), in the order of the events.
    summary
        What `overproof triage` says at its end.
    """

    table: pa.Table
    summary: Summary

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Triaged({len(self):,} verdicts)\n{self.summary.render()}"

    def to_dict(self) -> list[dict[str, Any]]:
        """Return a dictionary a verdict, of plain Python values; what is JSON in the table is read."""
        columns = {
            name: [None if cell is None else json.loads(cell) for cell in column] if name in _JSON else column
            for name, column in self.table.to_pydict().items()
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_pandas(self) -> Any:
        """Return the table as a pandas frame; MissingExtra without pandas."""
        pandas()
        return self.table.to_pandas()

    def _repr_html_(self) -> Html:
        likeliest = self.table.sort_by([("attack", "descending")]).slice(0, SHOWN).select(_COLUMNS).to_pylist()
        rows = [[_cell(row[column]) for column in _COLUMNS] for row in likeliest]
        caption = f"{len(self):,} verdicts, the {len(rows)} likeliest attacks"
        return many([as_text(self.summary.render()), table(caption, _COLUMNS, rows, left=range(len(_COLUMNS)))])


def triage_files(
    bundle: Path | str,
    sources: Path | str | Sequence[Path | str],
    *,
    full: Any = None,
    check: Path | str | None = None,
    columns: Columns | None = None,
    format: str = "auto",
    min_severity: str = "informational",
    explain: bool = False,
    with_text: bool = False,
    max_escalations: str | None = None,
    on_full_down: str | None = None,
    never_alone: Sequence[str] | None = None,
    workers: int = 1,
    exceptions: Path | str | None = None,
    rejects: Path | None = None,
    trust: Trust | None = None,
    console: Console = NOTEBOOK,
) -> Triaged:
    """Judge all events of files: captures, logs, tables. The verdicts have to fit into memory.

    Parameters
    ----------
    bundle
        Folder of the bundle that judges.
    sources
        A file, or several.
    full, check, max_escalations, on_full_down, never_alone
        What goes to the full model, and what becomes of it; see `CascadeConfig`. Without a full model what the bundle
        is not sure of is abstained from.
    columns, format
        How files become events; see `Reading`.
    min_severity
        Verdicts below it are counted, not returned.
    explain, with_text
        Tell the spans that carried each alert; keep each event's text.
    workers
        Processes that judge.
    exceptions
        File of rules that silence alerts, which are marked; see `overproof exceptions`.
    rejects
        File for the records that could not become events; they are counted in the summary in any case.
    trust
        Whose signature the bundle and the exceptions have to have; None asks for none.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Anything that cannot be used.
    FullDown
        The full model is down, where that is to fail.
    """
    paths = [sources] if isinstance(sources, str | Path) else sources if isinstance(sources, list | tuple) else ()
    if not paths or not all(isinstance(path, str | Path) for path in paths):
        raise InputError("sources: expected files; events that are in memory are for overproof.open(bundle).judge")
    never = None if never_alone is None else tuple(never_alone)
    cascade = CascadeConfig(full, None if check is None else Path(check), max_escalations, on_full_down, never)
    with TemporaryDirectory(prefix="overproof-") as folder:
        out = Path(folder) / "verdicts.parquet"
        request = Request(
            tuple(map(str, paths)),
            out=str(out),
            reading=Reading(columns or Columns(), format),
            min_severity=severity.parse(min_severity),
            with_text=with_text,
            explain=explain,
        )
        rules = None if exceptions is None else Path(exceptions)
        config = TriageConfig(Path(bundle), request, cascade, workers, rejects=rejects, trust=trust, exceptions=rules)
        summary = triage(config, console=console)
        return Triaged(pq.ParquetFile(out, memory_map=False).read(), summary)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else name(str(value), 60)
