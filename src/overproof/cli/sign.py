"""Sign a bundle, evidence or a file: `overproof sign`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from overproof.cli.options import AsJson, SignatureFile, Target
from overproof.cli.output import show

Key = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The private key, of an elliptic curve, in PEM; may be encrypted.")
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--certificate",
        metavar="FILE",
        help="The key's certificate, then those between it and the authority's, in PEM. [default: sign with the key "
        "alone]",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="The key's password. [default: OVERPROOF_KEY_PASSWORD, if set]"
    ),
]


HELP = """Sign a bundle, an evidence folder, what `check` wrote, or a file: offline, with a key or a certificate.

The signature is in the OpenSSF Model Signing format and goes into the folder as model.sig, beside a file as FILE.sig.
It covers every file of the folder; a bundle is signed only if its hashes verify. docs/guide/sign.md has the keys.

\b
Examples:
  overproof sign bundle --key release.pem
  overproof sign bundle --key release.pem --certificate release-chain.pem
  overproof sign proof/check.json --key release.pem
"""


def run(
    target: Target,
    key: Key,
    certificate: Certificate = None,
    password_file: PasswordFile = None,
    signature: SignatureFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a bundle, an evidence folder, what `check` wrote, or a file: offline, with a key or a certificate."""
    from overproof.bundle.signing.sign import SigningKey, sign

    show(sign(target, SigningKey(key, certificate, password_file), signature), as_json)
