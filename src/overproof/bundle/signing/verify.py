"""Verify what is signed: who signed it, and the sha256 of every file that it was then."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overproof.bundle.manifest_schema import parsed
from overproof.bundle.signing import Trust, pem, place_of
from overproof.bundle.signing.certificates import named, require_chain, require_signer
from overproof.bundle.signing.files import files_of, left_out
from overproof.bundle.signing.library import Hashing, in_memory, load
from overproof.bundle.signing.signed import Signed, difference
from overproof.errors import BundleError, InputError, TamperedBundle

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MOST = 16 << 20  # bytes of a signature: it names every file
KEY, CHAIN = "publicKey", "x509CertificateChain"  # in a signature: what it is verified with


@dataclass(frozen=True)
class _Anchor:
    """What a signature is verified with.

    Attributes
    ----------
    signer
        The signer's name.
    content, source
        PEM of a key, or of the authorities' certificates, and where it was read.
    material
        The signature's own part of it: a hint of the key, or the signer's certificates.
    """

    signer: str
    content: bytes
    source: Path
    material: Mapping[str, Any]

    @property
    def certified(self) -> bool:
        """Whether certificates say whose it is, rather than the key."""
        return CHAIN in self.material


def verify(target: Path | str, trust: Trust, signature: Path | None = None) -> Signed:
    """Verify a folder or a file against its signature; no network is touched.

    Parameters
    ----------
    signature
        Where the signature is; None is `model.sig` in a folder, `FILE.sig` beside a file.

    Raises
    ------
    InputError
        No such folder or file; a key or certificates that cannot be used.
    BundleError
        No signature, one of somebody else, of another kind, or by a certificate that does not count.
    TamperedBundle
        A file that is changed, missing, added or a link; the message names it.
    MissingExtra
        If model-signing is not installed.
    """
    load()
    target = Path(target)
    if not target.exists():
        raise InputError(f"{target}: no such file or folder")
    where = signature or place_of(target)
    signed = _parsed(_read(where, target), where)
    anchor = _anchor(trust, signed["verificationMaterial"], where)
    real = Path(os.path.realpath(target))  # the package refuses a link to what is signed
    aside = left_out(real, where)
    files = files_of(real, target) - {str(path) for path in aside}
    hashing = Hashing(aside)
    try:
        _ask(real, _said_once(signed, anchor), anchor, hashing)
    except Exception as error:  # the package's own are of many kinds, and what it reads may be hostile
        if hashing.found is None:
            raise BundleError(f"{where}: does not verify: {_why(error, anchor)}") from None
        raise TamperedBundle(difference(target, where, signed, hashing.found)) from None
    found = hashing.found or {}
    if added := sorted(files - set(found)):
        raise TamperedBundle(f"{target / added[0]}: not covered by the signature ({where})")
    return Signed(target, where, anchor.signer, found)


def _read(where: Path, target: Path) -> bytes:
    if not where.exists():
        raise BundleError(f"{target}: is not signed, expected a signature at {where} (what `overproof sign` writes)")
    if not where.is_file():
        raise BundleError(f"{where}: not a file, expected a signature")
    with open(where, "rb") as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise BundleError(f"{where}: more than {MOST:,} bytes, expected a signature")
    return content


def _parsed(content: bytes, where: Path) -> Mapping[str, Any]:
    """Read a signature; nothing of it is believed yet."""
    found = parsed(content, str(where), BundleError)
    if not isinstance(found, dict) or not isinstance(found.get("verificationMaterial"), dict):
        raise BundleError(f"{where}: not a signature, expected what `overproof sign` or `model_signing sign` writes")
    return found


def _said_once(signed: Mapping[str, Any], anchor: _Anchor) -> bytes:
    """Write a signature anew with what was looked at here, and nothing else.

    The package takes each entry by two names; that it refuses both together is nothing to rest on.
    """
    material = {"tlogEntries": [], **anchor.material}
    kept = {name: signed.get(name) for name in ("mediaType", "dsseEnvelope")}
    return json.dumps({**kept, "verificationMaterial": material}).encode()


def _anchor(trust: Trust, material: Mapping[str, Any], where: Path) -> _Anchor:
    """Read what is trusted; BundleError if the signature is of another kind, or its certificate does not count."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if trust.public_key is not None:
        key = pem.public_key(trust.public_key)
        _require_kind(material, KEY, where)
        content = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        name = f"key of sha256 {pem.fingerprint(key)}"
        return _Anchor(name, content, trust.public_key, {KEY: {"hint": material[KEY].get("hint")}})
    assert trust.certificates is not None
    authorities = pem.certificates(trust.certificates)
    _require_kind(material, CHAIN, where)
    chain = _chain(material[CHAIN], where)
    require_signer(chain[0], str(where), BundleError)
    require_chain(chain, authorities, str(where))
    content = b"".join(one.public_bytes(Encoding.PEM) for one in authorities)
    own = [{"rawBytes": base64.b64encode(one.public_bytes(Encoding.DER)).decode()} for one in chain]
    return _Anchor(named(chain[0]), content, trust.certificates, {CHAIN: {"certificates": own}})


def _require_kind(material: Mapping[str, Any], expected: str, where: Path) -> None:
    """Raise BundleError unless a signature is of the kind that is trusted, and say what it is instead."""
    if isinstance(material.get(expected), dict):
        return
    if expected in material:
        raise BundleError(f"{where}: not a signature, expected an object as {expected}")
    if KEY in material:
        raise BundleError(f"{where}: made with a key, expected --verify-key")
    if CHAIN in material:
        raise BundleError(f"{where}: made with a certificate, expected --verify-certificates")
    raise BundleError(f"{where}: made with Sigstore's online service, expected one made with a key or a certificate")


def _chain(found: Any, where: Path) -> list[Certificate]:
    """Read the certificates in a signature."""
    from cryptography.x509 import load_der_x509_certificate

    try:
        raw = [base64.b64decode(one["rawBytes"], validate=True) for one in found["certificates"]]
        chain = [load_der_x509_certificate(content) for content in raw]
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{where}: certificates that cannot be read ({pem.short(error)})") from None
    if not chain:
        raise BundleError(f"{where}: no certificate in it, expected the signer's")
    return chain


def _ask(real: Path, content: bytes, anchor: _Anchor, hashing: Hashing) -> None:
    """Let the package verify; it raises whatever it raises unless the signature holds for what is there."""
    from model_signing.verifying import Config

    # It warns of old signatures on standard output, where verdicts go.
    with in_memory(content) as signature, in_memory(anchor.content) as trusted, redirect_stdout(StringIO()):
        config = Config().set_hashing_config(hashing)  # type: ignore[arg-type]
        if anchor.certified:
            config.use_certificate_verifier(certificate_chain=[trusted])
        else:
            config.use_elliptic_key_verifier(public_key=trusted)
        config.verify(real, signature)


def _why(error: Exception, anchor: _Anchor) -> str:
    """Say why a signature is none, in one line."""
    from cryptography.exceptions import InvalidSignature

    if str(error).startswith("Key mismatch"):
        return f"made with another key than {anchor.source}"
    if isinstance(error, InvalidSignature):
        return "its content is not what was signed"
    return f"{type(error).__name__}: {pem.short(error)}"
