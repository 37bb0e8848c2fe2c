"""Judge events over HTTP: `overproof serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import (
    Bundle,
    CheckFile,
    DeployedOnFullDown,
    ExceptionRules,
    FullModel,
    MaxEscalations,
    NeverAlone,
    VerifyCertificates,
    VerifyKey,
    trust_of,
)
from overproof.progress import terminal

KnownIndex = Annotated[
    Path | None, typer.Option("--index", metavar="INDEX", help="What `overproof index` wrote, for /similar.")
]
Host = Annotated[str, typer.Option("--host", help="Address to answer at; beyond this machine a token is needed.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="The bearer token. [default: OVERPROOF_TOKEN, if set]"),
]


HELP = """Judge events over HTTP: /judge, /predict, /embed, /similar, /metrics, and a page at /.

Answers this machine alone, unless there is a token (in OVERPROOF_TOKEN, or --token-file). SIGHUP opens the bundle
again, if its hashes verify, and its signature where a key or certificates are given; SIGTERM finishes what was
accepted.

\b
Examples:
  overproof serve bundle --full teacher --check proof/check.json --index known.index
  curl -s localhost:8080/judge -H 'content-type: application/json' -d '{"text": "id=1 or 1=1--"}'
"""


def run(
    bundle: Bundle,
    full: FullModel = None,
    check: CheckFile = None,
    max_escalations: MaxEscalations = None,
    on_full_down: DeployedOnFullDown = None,
    never_alone: NeverAlone = None,
    exceptions: ExceptionRules = None,
    index: KnownIndex = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    token_file: TokenFile = None,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
) -> None:
    """Judge events over HTTP: /judge, /predict, /embed, /similar, /metrics, and a page at /."""
    from overproof.inference.service import Endpoint
    from overproof.jobs.deploy_config import CascadeConfig, ServeConfig
    from overproof.jobs.serve import serve

    never = tuple(never_alone) if never_alone else None
    cascade = CascadeConfig(full or None, check, max_escalations, on_full_down, never)
    trust = trust_of(verify_key, verify_certificates)
    endpoint = Endpoint(host, port)
    serve(
        ServeConfig(bundle, cascade, index, endpoint, token_file, trust=trust, exceptions=exceptions),
        console=terminal(),
    )
