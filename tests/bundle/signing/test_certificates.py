"""A certificate counts today or not at all, and only one that an authority of the user's vouches for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from overproof.bundle.manifest import open_bundle
from overproof.bundle.signing import Trust
from overproof.bundle.signing.sign import SigningKey, sign
from overproof.bundle.signing.verify import verify
from overproof.errors import BundleError, InputError, TamperedBundle

from .conftest import Holder, Issue
from .test_signing import flip, model_signing


@pytest.fixture(scope="module")
def authority(issue: Issue) -> Holder:
    return issue("authority", authority=True, days=(-400, 400))


def key_of(holder: Holder, *above: Holder) -> SigningKey:
    chain = holder.certificate.with_suffix(".chain")
    chain.write_bytes(b"".join(one.certificate.read_bytes() for one in (holder, *above)))
    return SigningKey(holder.private, chain)


def test_the_program_of_the_format_verifies_ours_and_ours_its(bundle: Path, issue: Issue, authority: Holder) -> None:
    between = issue("between", authority, authority=True)
    signer = issue("signer", between)
    sign(bundle, key_of(signer, between))
    trust, sig = Trust(certificates=authority.certificate), bundle / "model.sig"
    assert open_bundle(bundle, trust).signature == verify(bundle, trust).signer
    assert verify(bundle, trust).signer.startswith("certificate CN=signer (sha256 ")
    roots = ["--certificate_chain", authority.certificate]
    done = model_signing("verify", "certificate", bundle, "--signature", sig, *roots)
    assert done.returncode == 0, done.stderr
    words = ["--signature", sig, "--private_key", signer.private, "--signing_certificate", signer.certificate]
    sig.unlink()
    done = model_signing("sign", "certificate", bundle, *words, "--certificate_chain", between.certificate)
    assert done.returncode == 0, done.stderr
    open_bundle(bundle, trust)
    flip(bundle / "model.onnx")
    with pytest.raises(TamperedBundle, match=r"model\.onnx: not the file that was signed"):
        verify(bundle, trust)


def test_a_certificate_that_signs_itself_is_its_own_authority(bundle: Path, issue: Issue, authority: Holder) -> None:
    alone = issue("alone")
    sign(bundle, key_of(alone))
    verify(bundle, Trust(certificates=alone.certificate))
    with pytest.raises(BundleError, match=r"its certificate CN=alone \(.*\) does not count: self-signed certificate"):
        verify(bundle, Trust(certificates=authority.certificate))


def test_a_certificate_of_another_authority_does_not_count(bundle: Path, issue: Issue, authority: Holder) -> None:
    sign(bundle, key_of(issue("signer", authority)))
    other = issue("authority", authority=True)  # by its name the same
    with pytest.raises(BundleError, match=r"model\.sig: its certificate .* does not count: "):
        verify(bundle, Trust(certificates=other.certificate))
    both = other.certificate.with_name("both.pem")
    both.write_bytes(other.certificate.read_bytes() + authority.certificate.read_bytes())
    verify(bundle, Trust(certificates=both))


def test_a_link_of_the_chain_that_is_missing_is_told(bundle: Path, issue: Issue, authority: Holder) -> None:
    between = issue("between", authority, authority=True)
    sign(bundle, key_of(issue("signer", between)))
    with pytest.raises(BundleError, match="does not count: unable to get local issuer certificate"):
        verify(bundle, Trust(certificates=authority.certificate))


@pytest.mark.parametrize(("days", "message"), [((-30, -1), "valid from"), ((1, 30), "valid from")])
def test_what_is_not_valid_today_neither_signs_nor_verifies(
    bundle: Path, issue: Issue, authority: Holder, monkeypatch: pytest.MonkeyPatch, days: tuple[int, int], message: str
) -> None:
    """The package asks only whether it was valid as it was issued, and would take it."""
    ended = issue("ended", authority, days=days)
    with pytest.raises(InputError, match=rf"certificate CN=ended .* is not valid today, but {message}"):
        sign(bundle, key_of(ended))
    words = ["--signature", bundle / "model.sig", "--private_key", ended.private]
    words += ["--signing_certificate", ended.certificate, "--certificate_chain", ended.certificate]
    assert model_signing("sign", "certificate", bundle, *words).returncode == 0
    with pytest.raises(BundleError, match=rf"model\.sig: certificate CN=ended .* is not valid today, but {message}"):
        verify(bundle, Trust(certificates=authority.certificate))
    monkeypatch.setattr("overproof.bundle.signing.verify.require_signer", lambda *_: None)
    with pytest.raises(BundleError, match=r"does not count: certificate (has expired|is not yet valid)"):
        verify(bundle, Trust(certificates=authority.certificate))


@pytest.mark.parametrize("last", ["x509_certificate_chain", "x509CertificateChain"])
def test_a_certificate_under_another_name_stands_for_no_other(
    bundle: Path, issue: Issue, authority: Holder, last: str
) -> None:
    """What is looked at is what verifies: a certificate of today beside one that has ended, whose key somebody has."""
    ended, today = issue("ended", authority, days=(-30, -1)), issue("today", authority)
    words = ["--signature", bundle / "model.sig", "--private_key", ended.private]
    words += ["--signing_certificate", ended.certificate, "--certificate_chain", ended.certificate]
    assert model_signing("sign", "certificate", bundle, *words).returncode == 0
    stolen = json.loads((bundle / "model.sig").read_text())
    sign(bundle, key_of(today))
    genuine = json.loads((bundle / "model.sig").read_text())["verificationMaterial"]["x509CertificateChain"]
    own = stolen["verificationMaterial"].pop("x509CertificateChain")
    both = {"x509CertificateChain": genuine, "x509_certificate_chain": own}
    stolen["verificationMaterial"] = {"tlogEntries": [], **both, last: both.pop(last)}
    (bundle / "model.sig").write_text(json.dumps(stolen))
    with pytest.raises(BundleError, match=r"model\.sig: does not verify: its content is not what was signed"):
        verify(bundle, Trust(certificates=authority.certificate))


def test_an_authority_that_has_ended_vouches_for_nobody(bundle: Path, issue: Issue) -> None:
    ended = issue("ended authority", authority=True, days=(-30, -1))
    sign(bundle, key_of(issue("signer", ended, days=(-2, 30))))
    with pytest.raises(BundleError, match=r"CN=ended authority .*does not count: certificate has expired"):
        verify(bundle, Trust(certificates=ended.certificate))


@pytest.mark.parametrize("usage", [False, None])
def test_a_certificate_for_something_else_signs_nothing(
    bundle: Path, issue: Issue, authority: Holder, usage: bool | None
) -> None:
    with pytest.raises(InputError, match="is not one to sign with, expected the key usage digitalSignature"):
        sign(bundle, key_of(issue("tls", authority, usage=usage)))


def test_a_certificate_of_another_key_or_kind_signs_nothing(bundle: Path, issue: Issue, authority: Holder) -> None:
    one, two = issue("one", authority), issue("two", authority)
    with pytest.raises(InputError, match=r"CN=two .* is of another key"):
        sign(bundle, SigningKey(one.private, two.certificate))
    with pytest.raises(InputError, match=re.escape("one.pub: is a public key, expected certificates in PEM")):
        sign(bundle, SigningKey(one.private, one.public))
    other = issue("rsa", authority, key=rsa.generate_private_key(65537, 2048))
    with pytest.raises(InputError, match=r"certificate CN=rsa .*a key of another kind"):
        sign(bundle, SigningKey(one.private, other.certificate))


def test_keys_and_certificates_are_not_taken_for_each_other(bundle: Path, issue: Issue, authority: Holder) -> None:
    signer = issue("signer", authority)
    sign(bundle, key_of(signer))
    with pytest.raises(BundleError, match=r"model\.sig: made with a certificate, expected --verify-certificates"):
        verify(bundle, Trust(signer.public))
    with pytest.raises(InputError, match=r"signer\.crt: is a certificate, expected a public key in PEM"):
        verify(bundle, Trust(signer.certificate))
    with pytest.raises(InputError, match=r"signer\.pub: is a public key, expected certificates in PEM"):
        verify(bundle, Trust(certificates=signer.public))
    mixed = signer.certificate.with_name("mixed.pem")
    mixed.write_bytes(authority.certificate.read_bytes() + authority.private.read_bytes())
    with pytest.raises(InputError, match=r"mixed\.pem: holds a private key too, expected certificates alone"):
        verify(bundle, Trust(certificates=mixed))
    sign(bundle, SigningKey(signer.private))
    with pytest.raises(BundleError, match=r"model\.sig: made with a key, expected --verify-key"):
        verify(bundle, Trust(certificates=authority.certificate))


def test_a_name_in_a_certificate_steers_no_terminal(bundle: Path, issue: Issue, authority: Holder) -> None:
    from overproof.progress import printable

    sign(bundle, key_of(issue("red \x1b[31m", authority)))
    assert "\x1b" not in printable(verify(bundle, Trust(certificates=authority.certificate)).render())
