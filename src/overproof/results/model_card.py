"""Write the card that the Hugging Face Hub shows of a model, from a bundle's manifest and what is stored beside it.

Source: https://huggingface.co/docs/hub/model-cards and its `model-index`. Nothing in it is estimated or assumed: what
the manifest does not know, such as a licence, is left out.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

from overproof.bundle.made_from import NOT_CHECKED, made_from
from overproof.bundle.manifest import COMPARISON, Bundle, seal
from overproof.files import atomic_write
from overproof.progress import printable
from overproof.report.markdown import code, prose, table
from overproof.results.comparison import Comparison
from overproof.results.ml_bom.metrics import Metric, metrics
from overproof.results.ml_bom.model import limitations

LIBRARY, TASK = "overproof", "text-classification"
TAGS = ("security", "onnx", "distillation")
USE = """```python
import overproof

model = overproof.open("FOLDER")  # of this card
model.judge("GET /?id=1 or 1=1")
```

```sh
overproof triage FOLDER events.jsonl
```"""


def model_card(bundle: Bundle) -> str:
    """Return the card of a bundle, in Markdown, with the metadata of the Hub in front.

    The same bundle gives the same.

    Raises
    ------
    BundleError
        A comparison that cannot be read.
    """
    manifest = bundle.manifest
    measured = metrics(Comparison.of(bundle)) if COMPARISON in bundle.files else []
    title = str(manifest.network.get("preset", "classifier"))
    size = sum(len(content) for content in bundle.files.values())
    about = [
        ["classes", ", ".join(map(code, manifest.classes))],
        ["benign", ", ".join(map(code, manifest.benign))],
        ["precision", code(manifest.precision)],
        ["teacher", code(PurePath(str(manifest.teacher.get("name", "none"))).name)],
        ["files", f"{size:,} bytes"],
        ["sha256 of the manifest", code(seal(manifest))],
    ]
    parts = [
        f"# {prose(title)}",
        f"A classifier of security events, compressed by overproof {prose(manifest.overproof)}: "
        f"{prose(made_from(bundle).partition('; made ')[0])}; {NOT_CHECKED}.",
        table(["", ""], about),
        f"## Use\n\n{USE}",
        f"## Measured on the test events of its making\n\n{_figures(measured)}",
        "## Limits\n\n" + "\n".join(f"- {prose(line)}" for line in limitations(manifest)),
    ]
    return f"---\n{_metadata(title, measured)}---\n\n" + "\n\n".join(parts) + "\n"


def write_model_card(bundle: Bundle, path: Path) -> None:
    """Write the card of a bundle into a file."""
    atomic_write(path, model_card(bundle))


def _figures(measured: list[Metric]) -> str:
    """Write figures as a table, each with its interval where one was measured."""
    if not measured:
        return "Not measured: the bundle stores no comparison."
    return table(["figure", "of", "value", "95 % interval"], [_figure(one) for one in measured])


def _figure(one: Metric) -> list[str]:
    ends = one.get("confidenceInterval")
    interval = f"{ends['lowerBound']} to {ends['upperBound']}" if ends else ""
    return [prose(one["type"]), prose(one.get("slice", "")), one["value"], interval]


def _metadata(title: str, measured: list[Metric]) -> str:
    """Write the Hub's metadata: YAML, whose values are written as JSON, which is YAML too."""
    entries: dict[str, Any] = {"library_name": LIBRARY, "pipeline_tag": TASK, "tags": list(TAGS)}
    if measured:
        slices: dict[str, list[Metric]] = {}
        for one in measured:
            slices.setdefault(one.get("slice", "test events"), []).append(one)
        results = [
            {
                "task": {"type": TASK},
                "dataset": {"name": _plain(name), "type": "own"},
                "metrics": [
                    {"type": one["type"].replace(" ", "_"), "name": _plain(one["type"]), "value": float(one["value"])}
                    for one in figures
                ],
            }
            for name, figures in slices.items()
        ]
        entries["model-index"] = [{"name": _plain(title), "results": results}]
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in entries.items())


def _plain(text: str) -> str:
    """Write a name without what YAML takes for no character."""
    return printable(text).encode("utf-8", "backslashreplace").decode()
