"""Run the command line: `python -m overproof`."""

from __future__ import annotations

from overproof.cli import main

if __name__ == "__main__":
    main()
