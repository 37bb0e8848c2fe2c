"""Judge events from files and streams: open the cascade, choose who scores, run the streaming loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from overproof.bundle.manifest import Bundle
from overproof.events.sources import Rejects
from overproof.events.sources.interface import OnSkip
from overproof.inference.engines import Scored, worker_processes
from overproof.inference.stream import Request, RunContext, Summary
from overproof.inference.stream import triage as judge_all
from overproof.inference.stream.output import STREAM
from overproof.jobs.deploy_config import TriageConfig
from overproof.jobs.exceptions import read_rules
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.provenance import deployed
from overproof.jobs.verify import open_verified
from overproof.progress import SILENT, Console


def triage(config: TriageConfig, *, console: Console = SILENT) -> Summary:
    """Judge every event of the request, and write the verdicts in the order of the events.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra, FullDown
        See `open_cascade` and `inference.stream.triage`.
    """
    bundle = open_verified(config.bundle, config.trust, console)
    request = config.request
    if config.exceptions is not None:
        request = replace(request, exceptions=read_rules(config.exceptions, config.trust, console).rules)
    cascade = open_cascade(bundle, config.cascade)
    opening = deployed(bundle, config.cascade.check)
    engine = None if config.workers == 1 else worker_processes(cascade.student, bundle.path, config.workers)
    elsewhere = _on_ray(bundle, config.request, config.address) if config.engine == "ray" else None
    appended = config.request.follow and config.request.out != STREAM
    with Rejects(config.rejects, appended=appended) as rejects, _stopping(config.request.follow) as stop:
        context = RunContext(rejects, stop, console, opening)
        return judge_all(cascade, request, engine=engine, elsewhere=elsewhere, context=context)


def _on_ray(bundle: Bundle, request: Request, address: str | None) -> Callable[[OnSkip], Iterator[Scored]]:
    from overproof.inference.engines.ray import ray_scored

    return lambda on_skip: ray_scored(bundle, request.paths, request.reading, on_skip=on_skip, address=address)


@contextmanager
def _stopping(follow: bool) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end a run that follows files, rather than fail it."""
    asked = threading.Event()
    if not follow or threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {name: signal.signal(name, lambda *_: asked.set()) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
