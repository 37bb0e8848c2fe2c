"""Sign a bundle, another folder or a file: with a key, or with a key and the certificate that says whose it is."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overproof.bundle.manifest import MANIFEST, Bundle, open_bundle
from overproof.bundle.signing import SIGNATURE, pem, place_of
from overproof.bundle.signing.certificates import named, require_signer
from overproof.bundle.signing.files import files_of, left_out
from overproof.bundle.signing.library import Hashing, in_memory, load
from overproof.bundle.signing.signed import Signed
from overproof.errors import InputError, TamperedBundle
from overproof.files import atomic_write

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate


@dataclass(frozen=True)
class SigningKey:
    """What is signed with.

    Attributes
    ----------
    private_key
        File of an elliptic curve's private key, in PEM.
    certificate
        File of the key's certificate and of those between it and an authority's, in this order, in PEM; None signs with
        the key alone.
    password_file
        File with the password of an encrypted key; without it the environment's OVERPROOF_KEY_PASSWORD.
    """

    private_key: Path
    certificate: Path | None = None
    password_file: Path | None = None


def sign(target: Path | str, key: SigningKey, signature: Path | None = None) -> Signed:
    """Sign a folder or a file; a bundle only if its hashes verify. No network is touched.

    Parameters
    ----------
    signature
        Where the signature goes; None is `model.sig` in a folder, `FILE.sig` beside a file. What is there is replaced.

    Raises
    ------
    InputError
        Nothing to sign, a place in a bundle that is no signature's, a key, password or certificate that cannot be used.
    BundleError, TamperedBundle
        A bundle that cannot be opened; a link, or what is neither file nor folder, in what is to be signed.
    MissingExtra
        If model-signing is not installed.
    """
    load()
    target = Path(target)
    if not target.exists():
        raise InputError(f"{target}: no such file or folder, expected what is to be signed")
    where = signature or place_of(target)
    if not where.parent.is_dir():
        raise InputError(f"{where}: no such folder, expected one for the signature")
    real = Path(os.path.realpath(target))
    aside = left_out(real, where)
    bundle = open_bundle(target) if (target / MANIFEST).is_file() else None
    if bundle is not None and aside != {Path(SIGNATURE)}:
        raise InputError(f"{where}: is in the bundle, expected its {SIGNATURE}, or a place outside")
    if not files_of(real, target) - {str(path) for path in aside}:
        raise InputError(f"{target}: holds no file, expected what is to be signed")
    private = pem.private_key(key.private_key, pem.read_password(key.password_file))
    chain = [] if key.certificate is None else _chain(key.certificate, private)
    hashing = Hashing(aside)
    content = _signed(real, private, chain, hashing)
    assert hashing.found is not None
    if bundle is not None:
        _require_unchanged(bundle, hashing)
    atomic_write(where, content)
    signer = named(chain[0]) if chain else f"key of sha256 {pem.fingerprint(private.public_key())}"
    return Signed(target, where, signer, hashing.found)


def _chain(path: Path, private: EllipticCurvePrivateKey) -> list[Certificate]:
    """Read the signer's certificate and those above it; the first has to be the key's, and usable today."""
    chain = pem.certificates(path)
    require_signer(chain[0], str(path), InputError)
    if chain[0].public_key() != private.public_key():
        raise InputError(f"{path}: {named(chain[0])} is of another key, expected the private key's first")
    return chain


def _signed(real: Path, private: EllipticCurvePrivateKey, chain: list[Certificate], hashing: Hashing) -> bytes:
    """Let the package sign; the key is handed to it in memory, where no password is left to ask for."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from model_signing.signing import Config

    plain = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificates = [one.public_bytes(Encoding.PEM) for one in chain]
    with ExitStack() as opened:
        key = opened.enter_context(in_memory(plain))
        written = opened.enter_context(in_memory())
        if certificates:
            first, *above = certificates
            config = Config().use_certificate_signer(
                private_key=key,
                signing_certificate=opened.enter_context(in_memory(first)),
                # it takes no empty file: a signer's own certificate once more is in nobody's way
                certificate_chain=[opened.enter_context(in_memory(b"".join(above) or first))],
            )
        else:
            config = Config().use_elliptic_key_signer(private_key=key)
        try:
            config.set_hashing_config(hashing).sign(real, written)  # type: ignore[arg-type]
        except UnicodeError:
            raise InputError(f"{real}: its name, or one in it, is not UTF-8, which a signature cannot hold") from None
        return written.read_bytes()


def _require_unchanged(bundle: Bundle, hashing: Hashing) -> None:
    """Raise TamperedBundle unless what was signed is what the manifest lists: it may have changed meanwhile."""
    listed = {name: str(entry["sha256"]) for name, entry in bundle.manifest.files.items()}
    found = dict(hashing.found or {})
    found.pop(MANIFEST, None)
    if listed != found:
        raise TamperedBundle(f"{bundle.path}: changed while it was signed")
