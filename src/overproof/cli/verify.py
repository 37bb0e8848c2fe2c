"""Verify a signature: `overproof verify`."""

from __future__ import annotations

from overproof.cli.options import AsJson, SignatureFile, Target, VerifyCertificates, VerifyKey, trust_of
from overproof.cli.output import show
from overproof.errors import InputError

HELP = """Verify who signed a bundle, an evidence folder or a file, and that it is what was signed.

Offline; nothing may have been changed, added or removed. Reads what `model_signing sign` signed too, with a key or a
certificate. Exit code 2 unless all of it holds.

\b
Examples:
  overproof verify bundle --verify-key release.pub
  overproof verify bundle --verify-certificates authority.pem --json | jq .signer
  overproof verify proof/check.json --verify-key release.pub
"""


def run(
    target: Target,
    verify_key: VerifyKey = None,
    verify_certificates: VerifyCertificates = None,
    signature: SignatureFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify who signed a bundle, an evidence folder or a file, and that it is what was signed."""
    trust = trust_of(verify_key, verify_certificates)
    if trust is None:
        raise InputError("expected --verify-key or --verify-certificates: whose signature is believed")
    from overproof.jobs.verify import verify

    show(verify(target, trust, signature), as_json)
