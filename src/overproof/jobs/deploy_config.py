"""Configure the jobs that judge: frozen settings, validated where they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from overproof.bundle.signing import Trust
from overproof.distillation.teachers.interface import Teacher
from overproof.errors import InputError
from overproof.inference.cascade import Full, Rate, parse_rate
from overproof.inference.cascade.thresholds import BUDGET, require_on_full_down
from overproof.inference.engines import ENGINES
from overproof.inference.service import Endpoint, Limits
from overproof.inference.stream import Request

FullModel: TypeAlias = str | Sequence[str] | Teacher


@dataclass(frozen=True)
class CascadeOptions:
    """The options of a cascade, all of them in force: see `CascadeConfig`."""

    rate: Rate = field(default_factory=lambda: Rate(share=BUDGET))
    on_full_down: str = "hold"
    never_alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class CascadeConfig:
    """What goes to the full model, and what becomes of it there.

    Attributes
    ----------
    full
        The full model: a specification (`full_model.open_full`), a teacher, or one that is open already; None is none.
    check
        `check.json` of `overproof check`, whose threshold carries a guarantee.
    max_escalations
        `5%` of the events, or `20/s`; None is what was checked, or without a check 5 %.
    on_full_down
        `hold`, `student` or `fail`; None is what was checked, or without a check `hold`.
    never_alone
        Labels that the student may not decide; None are those that were checked, or without a check none.
    """

    full: FullModel | Full | None = None
    check: Path | None = None
    max_escalations: str | None = None
    on_full_down: str | None = None
    never_alone: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.max_escalations is not None:
            parse_rate(self.max_escalations)
        if self.on_full_down is not None:
            require_on_full_down(self.on_full_down)

    def options(self, default: CascadeOptions) -> CascadeOptions:
        """Return the options that are given, and for those that are not the default."""
        return CascadeOptions(
            default.rate if self.max_escalations is None else parse_rate(self.max_escalations),
            default.on_full_down if self.on_full_down is None else self.on_full_down,
            default.never_alone if self.never_alone is None else self.never_alone,
        )


@dataclass(frozen=True)
class TriageConfig:
    """Everything that decides what `triage` does.

    Attributes
    ----------
    bundle
        Folder of the bundle that judges.
    request
        What is to be judged, and where the verdicts go.
    cascade
        What goes to the full model.
    workers
        Processes that judge.
    engine, address
        `local`, or `ray` on the cluster at that address.
    rejects
        File for the records that could not become events.
    trust
        Whose signature the bundle and the exceptions have to have; None asks for none.
    exceptions
        File of rules that silence alerts.
    """

    bundle: Path
    request: Request
    cascade: CascadeConfig = CascadeConfig()
    workers: int = 1
    engine: str = "local"
    address: str | None = None
    rejects: Path | None = None
    trust: Trust | None = None
    exceptions: Path | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise InputError(f"--engine {self.engine}: expected one of {', '.join(ENGINES)}")
        if self.workers < 1:
            raise InputError(f"--workers {self.workers}: expected 1 or more")
        if self.engine == "ray" and self.workers != 1:
            raise InputError(f"--workers {self.workers}: a Ray cluster has its own, expected it without --engine ray")
        if self.engine == "ray" and self.request.follow:
            raise InputError("--engine ray reads whole files, expected it without --follow")
        if self.request.techniques and not self.request.for_analysts:
            raise InputError("--techniques: only ocsf and ecs name techniques of ATT&CK, expected it with --to of them")


@dataclass(frozen=True)
class ServeConfig:
    """Everything that decides what `serve` does.

    Attributes
    ----------
    bundle
        Folder of the bundle that judges; opened again on SIGHUP.
    cascade
        What goes to the full model.
    index
        What `overproof index` wrote, for `/similar`.
    endpoint
        Where it answers; its token is read from `token_file`.
    token_file
        File with the bearer token; without it the environment's OVERPROOF_TOKEN.
    limits
        What the service takes at most.
    trust
        Whose signature the bundle has to have, at the start and whenever it is opened again; None asks for none.
    exceptions
        File of rules that silence alerts, read again with the bundle, and signed as it has to be.
    """

    bundle: Path
    cascade: CascadeConfig = CascadeConfig()
    index: Path | None = None
    endpoint: Endpoint = field(default_factory=Endpoint)
    token_file: Path | None = None
    limits: Limits = field(default_factory=Limits)
    trust: Trust | None = None
    exceptions: Path | None = None
