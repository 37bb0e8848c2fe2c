"""Run the command line: `overproof`, or `python -m overproof`."""

from __future__ import annotations

import sys

from overproof.errors import ExitCode


def main() -> None:
    """Run it; where a package that it needs is missing or broken, say so and end with 2: it is no decision."""
    try:
        from overproof.cli import main as run
    except ImportError as error:
        print(f"error: overproof is not wholly installed ({error}); expected `pip install overproof`", file=sys.stderr)
        sys.exit(ExitCode.UNUSABLE)
    run()


if __name__ == "__main__":
    main()
