"""Walk through the tutorial step by step, every number computed by the functions that the product uses.

`printed_values` holds what is printed, `steps` computes, `figures` and `table` compare the two, `user_data` does the
same on a bundle or on the built-in traffic, `commands` says what does it for real, `sections` puts it into words for
`terminal` and `page`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overproof.bundle.manifest import open_bundle
from overproof.events.simulate import simulate
from overproof.lesson import miniature, steps, table, terminal
from overproof.lesson.blocks import Section
from overproof.lesson.grid_edits import find_grid_edits
from overproof.lesson.points import tutorial_points
from overproof.lesson.sections import sections
from overproof.lesson.user_data import EVENTS, UserData, of_bundle, of_traffic


@dataclass(frozen=True)
class Lesson:
    """The lesson, computed: one's own figures, the sections to show, and the model that the page's controls run."""

    user_data: UserData
    sections: tuple[Section, ...]
    small: miniature.Miniature

    def to_json(self) -> dict[str, Any]:
        """Return every step's numbers, the table of errata, and one's own figures."""
        layer = None if self.user_data.layer is None else self.user_data.layer.to_json()
        return {
            "information": [asdict(info) for info in steps.information()],
            "softened": [asdict(soft) for soft in steps.softened(steps.PACKET_LOGITS[3])],
            "quantized": {**asdict(steps.on_grid()), "cost": steps.on_grid().cost.to_json()},
            "sizes": [asdict(size) for size in steps.sizes()],
            "models": [asdict(point) for point in tutorial_points()],
            "errata": [asdict(erratum) for erratum in table.errata()],
            "commands": {s.key: [command.line for command in s.commands] for s in self.sections if s.commands},
            "user_data": {
                **asdict(self.user_data),
                "cost": self.user_data.cost.to_json(),
                "layer": layer,
                "bundle": None if self.user_data.bundle is None else str(self.user_data.bundle),
            },
        }

    def render(self) -> str:
        """Write plain text for a terminal."""
        return terminal.render(self.sections)


def walk(bundle: Path | str | None = None, *, seed: int = 0) -> Lesson:
    """Compute the lesson.

    Parameters
    ----------
    bundle
        A bundle to show each step on; the built-in traffic alone if None.
    seed
        Decides the simulated events.

    Raises
    ------
    BundleError, TamperedBundle
        See `bundle.open_bundle`.
    """
    opened = None if bundle is None else open_bundle(bundle)
    traffic = simulate(EVENTS, seed=seed)
    small, events = miniature.miniature(traffic.train), traffic.test
    edits = find_grid_edits(small, events, seed=seed)
    user = of_traffic(events, small, edits, seed=seed) if opened is None else of_bundle(opened, events, small, edits)
    return Lesson(user, sections(user), small)
