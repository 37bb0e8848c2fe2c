"""Write a machine-learning bill of materials (ML-BOM) of a bundle, from its manifest and what is stored beside it.

Source: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/ (ECMA-424), with its `modelCard`. Nothing in it is estimated
or assumed: what the manifest does not know, such as licences, is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from overproof.bundle.manifest import Bundle, seal
from overproof.files import atomic_write
from overproof.results.ml_bom.components import libraries
from overproof.results.ml_bom.model import datasets, model
from overproof.version import __version__

SPEC = "1.6"


def ml_bom(bundle: Bundle) -> dict[str, Any]:
    """Return the bill of materials of a bundle, as plain JSON.

    The same bundle gives the same: its serial number follows from the manifest's hash, and there is no time in it,
    since the manifest has none.

    Raises
    ------
    BundleError
        A comparison, or a first student's manifest, that cannot be read.
    """
    root = model(bundle, "model")
    components = [*datasets(bundle.manifest, "model"), *libraries(bundle.manifest.versions)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'sha256:{seal(bundle.manifest)}')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "overproof", "version": __version__}]},
            "component": root,
        },
        "components": components,
        "dependencies": [{"ref": "model", "dependsOn": [one["bom-ref"] for one in components]}],
    }


def write_ml_bom(bundle: Bundle, path: Path) -> None:
    """Write the bill of materials of a bundle into a file."""
    atomic_write(path, json.dumps(ml_bom(bundle), indent=1) + "\n")
