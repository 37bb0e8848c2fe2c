"""Read keys and certificates in PEM, and say in one line what a file is if it is something else.

Source: RFC 7468, Textual Encodings of PKIX, PKCS, and CMS Structures.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from overproof.bundle.signing.library import load
from overproof.errors import InputError, OverproofError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.x509 import Certificate

PASSWORD = "OVERPROOF_KEY_PASSWORD"
CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}  # those of the format
MOST = 1 << 20  # bytes of a file of keys
LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
WORDS = {"CERTIFICATE": "a certificate", "PUBLIC KEY": "a public key", "PRIVATE KEY": "a private key"}


def public_key(path: Path) -> EllipticCurvePublicKey:
    """Read the key that verifies.

    Raises
    ------
    InputError
        Something else, or a key of another kind than the format has.
    """
    content = _pem(path, "PUBLIC KEY", "a public key")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path}: not a public key in PEM ({short(error)})") from None
    require_curve(key, str(path))
    return cast("EllipticCurvePublicKey", key)


def private_key(path: Path, password: bytes | None = None) -> EllipticCurvePrivateKey:
    """Read the key that signs.

    Parameters
    ----------
    password
        Of an encrypted key; not needed for any other.

    Raises
    ------
    InputError
        Something else, a key of another kind than the format has, or no password that opens it.
    """
    content = _pem(path, "PRIVATE KEY", "a private key")
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    encrypted = b"ENCRYPTED" in content
    if encrypted and password is None:
        raise InputError(f"{path}: is encrypted, expected its password in a --password-file or in {PASSWORD}")
    try:
        key = load_pem_private_key(content, password if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        wrong = "another password, or " if encrypted else ""
        raise InputError(f"{path}: {wrong}not a private key in PEM ({short(error)})") from None
    require_curve(key, str(path))
    return cast("EllipticCurvePrivateKey", key)


def certificates(path: Path) -> list[Certificate]:
    """Read certificates, one or more; InputError if the file holds something else."""
    content = _pem(path, "CERTIFICATE", "certificates")
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(content)
    except ValueError as error:
        raise InputError(f"{path}: not certificates in PEM ({short(error)})") from None


def read_password(path: Path | None) -> bytes | None:
    """Read the first line of a file, else the environment's OVERPROOF_KEY_PASSWORD; None if there is neither."""
    if path is None:
        password = os.environ.get(PASSWORD)
        return None if password is None else os.fsencode(password)
    return _content(path).split(b"\n", 1)[0].rstrip(b"\r")


def _pem(path: Path, label: str, expected: str) -> bytes:
    """Read a file that holds PEM of a kind; a key may stand behind its curve's parameters."""
    load()
    content = _content(path)
    labels = [found.decode() for found in LABEL.findall(content)]
    if any(found.endswith(label) for found in labels):
        if label != "PRIVATE KEY" and any(found.endswith("PRIVATE KEY") for found in labels):
            raise InputError(f"{path}: holds a private key too, expected {expected} alone: it does not belong here")
        return content
    other = next((words for kind, words in WORDS.items() for found in labels if found.endswith(kind)), None)
    raise InputError(f"{path}: {'not PEM' if other is None else f'is {other}'}, expected {expected} in PEM")


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """Return the sha256 of a public key in DER, as `openssl pkey -pubin -outform DER | sha256sum` does."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _content(path: Path) -> bytes:
    with open(path, "rb") as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise InputError(f"{path}: more than {MOST:,} bytes, expected a file of keys, certificates or a password")
    return content


def require_curve(key: object, where: str, wrong: type[OverproofError] = InputError) -> None:
    """Raise `wrong` unless a key is on a curve that the format has."""
    curve = getattr(getattr(key, "curve", None), "name", None)
    if curve not in CURVES:
        kind = curve or type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey")
        curves = ", ".join(CURVES.values())
        raise wrong(f"{where}: a key of another kind ({kind}), expected an elliptic curve's: one of {curves}")


def short(error: Exception) -> str:
    """Return the words of an error of somebody else's, in part and on one line."""
    return " ".join(str(error).partition(". ")[0].split())[:100] or type(error).__name__
