"""In the field: the student, its policy and the full model put together, over files or as a service."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from overproof.bundle.manifest import Bundle, open_bundle
from overproof.bundle.runtime import OnnxScorer
from overproof.errors import InputError
from overproof.events.sources import Columns, Rejects
from overproof.events.sources.interface import OnSkip
from overproof.inference.cascade import Bucket, Cascade, Full, parse_rate
from overproof.inference.cascade.thresholds import policy_for
from overproof.inference.engines import ENGINES, Scored, worker_processes
from overproof.inference.service import HOST, PORT, read_token
from overproof.inference.service import serve as answer
from overproof.inference.sinks import severity
from overproof.inference.stream import Request, Summary
from overproof.inference.stream import triage as judge_all
from overproof.jobs.full_model import open_full
from overproof.progress import SILENT, Console

FIRST_TOKENS = 10.0  # a service does not defer the very first event that somebody pastes


def open_cascade(
    bundle: Bundle,
    *,
    full: str | Full | None = None,
    check: Path | None = None,
    max_escalations: str = "5%",
    on_full_down: str = "hold",
    never_alone: Sequence[str] = (),
    tokens: float | None = None,
) -> Cascade:
    """A bundle with its policy, and the full model in reserve.

    Parameters
    ----------
    full
        What `reserve.open_full` takes, or a full model that is open already.
    check, on_full_down, never_alone
        See `cascade.thresholds.policy_for`.
    max_escalations
        `5%` of the events, or `20/s`.
    tokens
        Of the budget at the start; see `cascade.budget.Bucket`.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Options or a full model that cannot be used.
    """
    rate = parse_rate(max_escalations)
    policy = policy_for(bundle.manifest, check=check, rate=rate, never_alone=never_alone, on_full_down=on_full_down)
    student = OnnxScorer(bundle)
    reserve = open_full(full, student.classes) if isinstance(full, str) else full
    if reserve is not None and check is None and bundle.manifest.signals is None:
        raise InputError(
            f"{bundle.path}: keeps no thresholds of its own (it was made by an older version), expected --check "
            "check.json of `overproof check`, or a bundle compressed again"
        )
    return Cascade(student, reserve, policy, Bucket(rate, level=tokens))


def triage(
    bundle: Path | str,
    sources: Sequence[str | Path],
    *,
    full: str | Full | None = None,
    check: Path | None = None,
    max_escalations: str = "5%",
    on_full_down: str = "hold",
    never_alone: Sequence[str] = (),
    out: str | Path = "-",
    to: str | None = None,
    columns: Columns | None = None,
    format: str = "auto",
    follow: bool = False,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    min_severity: str = "informational",
    top: int | None = None,
    group_similar: bool = False,
    with_text: bool = False,
    rejects: Path | None = None,
    console: Console = SILENT,
) -> Summary:
    """Judge every event of the sources; see `triage.triage` and, for the first parameters, `open_cascade`.

    Parameters
    ----------
    sources
        Files of any format in `sources.FORMATS`; `-` is standard input.
    workers
        Processes that judge.
    engine, address
        `local`, or `ray` on the cluster at that address.
    min_severity
        The name of a severity.
    rejects
        File for the records that could not become events.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra, FullDown
        See `open_cascade` and `triage.triage`.
    """
    if engine not in ENGINES:
        raise InputError(f"--engine {engine}: expected one of {', '.join(ENGINES)}")
    if engine == "ray" and workers != 1:
        raise InputError(f"--workers {workers}: a Ray cluster has its own, expected it without --engine ray")
    request = Request(
        paths=tuple(map(str, sources)),
        out=str(out),
        to=to,
        columns=columns or Columns(),
        format=format,
        follow=follow,
        min_severity=severity.parse(min_severity),
        top=top,
        group_similar=group_similar,
        with_text=with_text,
    )
    opened = open_bundle(bundle)
    cascade = open_cascade(
        opened,
        full=full,
        check=check,
        max_escalations=max_escalations,
        on_full_down=on_full_down,
        never_alone=never_alone,
    )
    with Rejects(rejects) as skipped, _stopping(follow) as stop:
        return judge_all(
            cascade,
            request,
            engine=None if workers == 1 else worker_processes(cascade.student, opened.path, workers),
            elsewhere=_on_ray(opened, request, address) if engine == "ray" else None,
            rejects=skipped,
            stop=stop,
            console=console,
        )


def _on_ray(bundle: Bundle, request: Request, address: str | None) -> Callable[[OnSkip], Iterator[Scored]]:
    from overproof.inference.engines.ray import ray_scored

    if request.follow:
        raise InputError("--engine ray reads whole files, expected it without --follow")
    return lambda on_skip: ray_scored(
        bundle, request.paths, columns=request.columns, format=request.format, on_skip=on_skip, address=address
    )


def serve(
    bundle: Path | str,
    *,
    full: str | Full | None = None,
    check: Path | None = None,
    max_escalations: str = "5%",
    on_full_down: str = "hold",
    never_alone: Sequence[str] = (),
    index: Path | None = None,
    host: str = HOST,
    port: int = PORT,
    token_file: Path | None = None,
    console: Console = SILENT,
) -> None:
    """Judge over HTTP until the process is asked to end; see `serve.serve` and, for the policy, `open_cascade`.

    Parameters
    ----------
    index
        What `overproof index` wrote, for `/similar`.
    token_file
        File with the bearer token; without it the environment's OVERPROOF_TOKEN.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Options, a bundle, an index, an address or a full model that cannot be used.
    """
    opened = partial(
        open_cascade,
        full=full,
        check=check,
        max_escalations=max_escalations,
        on_full_down=on_full_down,
        never_alone=never_alone,
        tokens=FIRST_TOKENS,
    )
    answer(
        lambda: opened(open_bundle(bundle)),
        index=index,
        host=host,
        port=port,
        token=read_token(token_file),
        console=console,
    )


@contextmanager
def _stopping(follow: bool) -> Iterator[Callable[[], bool]]:
    """While files are followed, Ctrl-C is how a run ends, not how it fails."""
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
