"""Keys and certificates, made once; and what is signed with them."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PASSWORD = "a long password"


@dataclass(frozen=True)
class Holder:
    """A key and where it lies; with a certificate, that too."""

    key: Any
    private: Path
    public: Path
    certificate: Path
    issued: Any = None


def write_key(folder: Path, name: str, key: Any, password: bytes | None = None) -> Holder:
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    how = NoEncryption() if password is None else BestAvailableEncryption(password)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return Holder(key, private, public, folder / f"{name}.crt")


Issue = Callable[..., Holder]


@pytest.fixture(scope="session")
def issue(tmp_path_factory: pytest.TempPathFactory) -> Issue:
    """Issues a certificate: by another's holder, or by itself; for how many days, from how many days ago."""

    def issue(
        name: str,
        by: Holder | None = None,
        *,
        key: Any = None,
        days: tuple[int, int] = (-1, 30),
        authority: bool = False,
        usage: bool | None = True,
    ) -> Holder:
        holder = write_key(tmp_path_factory.mktemp("holder"), name, key or ec.generate_private_key(ec.SECP256R1()))
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if by is None else by.issued.subject)
            .public_key(holder.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days[0]))
            .not_valid_after(now + dt.timedelta(days[1]))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(holder.key.public_key()), critical=False)
        )
        if by is not None:
            above = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
            builder = builder.add_extension(above, critical=False)
        if usage is not None:
            others = "content_commitment data_encipherment key_agreement encipher_only decipher_only".split()
            flags = {name: False for name in others} | {"key_encipherment": not usage, "digital_signature": usage}
            flags |= {"key_cert_sign": authority, "crl_sign": authority}
            builder = builder.add_extension(x509.KeyUsage(**flags), critical=True)
        issued = builder.sign(holder.key if by is None else by.key, SHA256())
        holder.certificate.write_bytes(issued.public_bytes(Encoding.PEM))
        return Holder(holder.key, holder.private, holder.public, holder.certificate, issued)

    return issue


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Holder]:
    """Keys by name: two to sign with, one encrypted, and some that the format does not have."""
    folder = tmp_path_factory.mktemp("keys")
    made = {
        "release": ec.generate_private_key(ec.SECP256R1()),
        "other": ec.generate_private_key(ec.SECP384R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
        "bitcoin": ec.generate_private_key(ec.SECP256K1()),
    }
    found = {name: write_key(folder, name, key) for name, key in made.items()}
    return {**found, "locked": write_key(folder, "locked", made["release"], PASSWORD.encode())}


@pytest.fixture
def bundle(small_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
