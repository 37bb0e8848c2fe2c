"""`python -m overproof` is the command line."""

from __future__ import annotations

from overproof.cli import main

if __name__ == "__main__":
    main()
