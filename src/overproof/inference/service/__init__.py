"""Serve a bundle over HTTP: `service.py` is what it does, `app.py` its endpoints, `server.py` the process.

Nothing here is imported before it is asked for: what it needs is the extra `serve`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from overproof.errors import MissingExtra
from overproof.inference.cascade import Cascade
from overproof.inference.service.access import Endpoint, read_token
from overproof.inference.service.limits import Limits
from overproof.progress import SILENT, Console

__all__ = ["Endpoint", "Limits", "read_token", "serve"]


def serve(
    open_cascade: Callable[[], Cascade],
    endpoint: Endpoint | None = None,
    *,
    index: Path | None = None,
    limits: Limits | None = None,
    console: Console = SILENT,
) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that were accepted.

    Parameters
    ----------
    open_cascade
        Opens the bundle with its policy and full model (`jobs.open_cascade`); called again on SIGHUP. What it then
        raises is shown, and the bundle in service stays.
    endpoint
        Where it answers, and the token that it expects.
    index
        Folder of known events (`overproof index`), for `/similar`.

    Raises
    ------
    InputError
        An address that cannot be bound, or one beyond this machine and no token.
    MissingExtra
        If FastAPI, uvicorn or prometheus-client is not installed.
    BundleError, TamperedBundle
        What `open_cascade` raises, at the start.
    """
    try:
        from overproof.inference.service.server import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "overproof":
            raise
        raise MissingExtra(f"serve needs the package {error.name}: pip install 'overproof[serve]'") from error
    run(open_cascade, endpoint or Endpoint(), index=index, limits=limits or Limits(), console=console)
