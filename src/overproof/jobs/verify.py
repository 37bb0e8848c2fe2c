"""Verify what is signed, and open bundles that have to be."""

from __future__ import annotations

from pathlib import Path

from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.bundle.signing import SIGNATURE, UNVERIFIED, Trust
from overproof.bundle.signing.signed import Signed
from overproof.bundle.signing.verify import verify as verify_signature
from overproof.progress import SILENT, Console


def verify(target: Path | str, trust: Trust, signature: Path | None = None) -> Signed:
    """Verify the signature of a folder or a file, and of a bundle its hashes too.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        See `signing.verify.verify` and `open_bundle`.
    """
    signed = verify_signature(target, trust, signature)
    if MANIFEST in signed.digests:
        open_bundle(target)
    return signed


def open_verified(path: Path | str, trust: Trust | None, console: Console = SILENT) -> Bundle:
    """Open a bundle, and say who signed it, or that it has a signature nobody asked to verify.

    Raises
    ------
    InputError, BundleError, TamperedBundle, MissingExtra
        See `open_bundle`.
    """
    bundle = open_bundle(path, trust)
    if bundle.signature == UNVERIFIED:
        console.say(f"{path}: {SIGNATURE} is not verified, expected --verify-key or --verify-certificates for that")
    elif bundle.signature is not None:
        console.say(f"{path}: signed with the {bundle.signature}")
    return bundle
