"""Start Arrow without pandas, which a command that judges events has no use for."""

from __future__ import annotations

import sys
from collections.abc import Sequence


class _NoPandas:
    """An importer (`sys.meta_path`) that says that there is no pandas."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Refuse pandas; leave everything else to the others."""
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not looked for", name=name)


def start_arrow_alone() -> None:
    """Make Arrow's first array while pandas cannot be found.

    Where pandas is installed, Arrow would import it then, to tell its series from other values: as long as all else
    takes until the first event is judged, and 40 MB. Whoever wants pandas later, such as a full model of the user's
    own, finds it, and so does Arrow once it is asked to convert.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        import pyarrow

        pyarrow.array([])
    finally:
        sys.meta_path.remove(_NoPandas)
