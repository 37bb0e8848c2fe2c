"""Hold a signer's certificate to the present: the package asks only whether it was valid when it was issued."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from overproof.bundle.signing.pem import require_curve
from overproof.errors import BundleError, OverproofError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def require_chain(chain: Sequence[Certificate], authorities: Sequence[Certificate], where: str) -> None:
    """Raise BundleError unless authorities vouch today for the first certificate of a chain.

    A signature has no time that could be trusted, so that one older than its certificate's end cannot be told from a
    newer one: neither counts after it.
    """
    from OpenSSL import crypto

    store = crypto.X509Store()
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
    first, *others = (crypto.X509.from_cryptography(one) for one in chain)
    try:
        crypto.X509StoreContext(store, first, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        blamed = error.certificate.to_cryptography()
        raise BundleError(f"{where}: its {named(blamed)} does not count: {error} ({_dates(blamed)})") from None


def require_signer(certificate: Certificate, where: str, wrong: type[OverproofError]) -> None:
    """Raise `wrong` unless a certificate can be signed with today."""
    require_curve(certificate.public_key(), f"{where}: {named(certificate)}", wrong)
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise wrong(f"{where}: {named(certificate)} is not valid today, but {_dates(certificate)}")
    if not _may_sign(certificate):
        raise wrong(
            f"{where}: {named(certificate)} is not one to sign with, expected the key usage digitalSignature or the "
            "extended key usage codeSigning"
        )


def _may_sign(certificate: Certificate) -> bool:
    from cryptography.x509 import ExtendedKeyUsage, ExtensionNotFound, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID

    found = certificate.extensions
    with suppress(ExtensionNotFound):
        if found.get_extension_for_class(KeyUsage).value.digital_signature:
            return True
    with suppress(ExtensionNotFound):
        return ExtendedKeyUsageOID.CODE_SIGNING in found.get_extension_for_class(ExtendedKeyUsage).value
    return False


def named(certificate: Certificate) -> str:
    """Return a certificate's subject, and its sha256."""
    from cryptography.hazmat.primitives.hashes import SHA256

    return f"certificate {certificate.subject.rfc4514_string()} (sha256 {certificate.fingerprint(SHA256()).hex()})"


def _dates(certificate: Certificate) -> str:
    return f"valid from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
