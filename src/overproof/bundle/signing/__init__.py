"""Sign folders and files, and verify them, offline: with keys or certificates, never with Sigstore's online service.

`sign.py` and `verify.py` are the two directions, `pem.py` reads keys and certificates, `library.py` is all that touches
the package model-signing. What is written is the OpenSSF Model Signing format, which other programs verify too.

Source: OpenSSF Model Signing, https://github.com/ossf/model-signing-spec; a Sigstore bundle that holds a DSSE envelope,
https://github.com/secure-systems-lab/dsse, with an in-toto statement of every file's sha256.

Nothing here is imported before it is asked for: what it needs is the extra `sign`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from overproof.errors import InputError

SIGNATURE = "model.sig"  # a folder's signature, in it: the one file of a bundle that its manifest does not list
SUFFIX = ".sig"  # of a file's signature, beside it
UNVERIFIED = "not verified"


@dataclass(frozen=True)
class Trust:
    """Whose signatures count: those of one key, or of the certificates that authorities issued.

    Attributes
    ----------
    public_key
        File of an elliptic curve's public key, in PEM.
    certificates
        File of the authorities' certificates, in PEM; a certificate that signs itself is its own authority.

    Raises
    ------
    InputError
        Unless exactly one of them is given.
    """

    public_key: Path | None = None
    certificates: Path | None = None

    def __post_init__(self) -> None:
        if (self.public_key is None) == (self.certificates is None):
            raise InputError("expected either --verify-key or --verify-certificates, the one that what is signed needs")


def place_of(target: Path) -> Path:
    """Return where the signature of a folder or of a file is, unless somebody says otherwise."""
    return target / SIGNATURE if target.is_dir() else target.with_name(f"{target.name}{SUFFIX}")
