"""Judge events over HTTP: open the cascade, read the token, run the service."""

from __future__ import annotations

from dataclasses import replace

from overproof.inference.cascade import Cascade
from overproof.inference.service import read_token
from overproof.inference.service import serve as answer
from overproof.jobs.deploy_config import ServeConfig
from overproof.jobs.exceptions import read_rules
from overproof.jobs.open_cascade import open_cascade
from overproof.jobs.provenance import deployed
from overproof.jobs.verify import open_verified
from overproof.progress import SILENT, Console

FIRST_TOKENS = 10.0  # a service does not defer the very first event that somebody pastes


def serve(config: ServeConfig, *, console: Console = SILENT) -> None:
    """Judge over HTTP until the process is asked to end.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        Options, a bundle, an index, an address or a full model that cannot be used.
    """

    def opened() -> Cascade:
        bundle = open_verified(config.bundle, config.trust, console)
        cascade = open_cascade(bundle, config.cascade, tokens=FIRST_TOKENS)
        cascade.about = deployed(bundle, config.cascade.check)
        if config.exceptions is not None:
            rules = read_rules(config.exceptions, config.trust)  # told with the address, which scripts read first
            cascade.exceptions = rules.rules
            cascade.about = "; ".join(filter(None, (cascade.about, rules.told(of_texts=True))))
        return cascade

    endpoint = replace(config.endpoint, token=read_token(config.token_file))
    answer(opened, endpoint, index=config.index, limits=config.limits, console=console)
