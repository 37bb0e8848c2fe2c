"""Signed and verified: what was signed verifies, here and with model-signing's own program; nothing else does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.manifest import open_bundle
from overproof.bundle.signing import UNVERIFIED, Trust
from overproof.bundle.signing.sign import SigningKey, sign
from overproof.bundle.signing.verify import verify
from overproof.errors import BundleError, InputError, OverproofError, TamperedBundle

from .conftest import PASSWORD, Holder

Keys = dict[str, Holder]


def model_signing(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The program of those who wrote the format down."""
    return subprocess.run([sys.executable, "-m", "model_signing", *words], capture_output=True, text=True, timeout=120)


@pytest.fixture
def signed(bundle: Path, keys: Keys) -> Path:
    sign(bundle, SigningKey(keys["release"].private))
    return bundle


def trust(keys: Keys, name: str = "release") -> Trust:
    return Trust(keys[name].public)


def test_what_was_signed_verifies_and_opens(signed: Path, keys: Keys, tmp_path: Path) -> None:
    found = verify(signed, trust(keys))
    assert set(found.digests) == {path.name for path in signed.iterdir()} - {"model.sig"}
    plain, opened = open_bundle(signed), open_bundle(signed, trust(keys))
    assert (plain.signature, opened.signature) == (UNVERIFIED, found.signer)
    assert opened.files == plain.files and "model.sig" not in opened.files
    shutil.move(signed, tmp_path / "elsewhere")
    (tmp_path / "current").symlink_to("elsewhere")
    assert verify(tmp_path / "current", trust(keys)).digests == found.digests


def test_the_program_of_the_format_verifies_ours_and_ours_its(signed: Path, keys: Keys) -> None:
    key, sig = keys["release"], signed / "model.sig"
    done = model_signing("verify", "key", signed, "--signature", sig, "--public_key", key.public)
    assert done.returncode == 0, done.stderr
    ours = verify(signed, trust(keys))
    sig.unlink()
    done = model_signing("sign", "key", signed, "--signature", sig, "--private_key", key.private)
    assert done.returncode == 0, done.stderr
    assert verify(signed, trust(keys)).digests == ours.digests
    assert open_bundle(signed, trust(keys)).signature == ours.signer


def test_a_file_has_its_signature_beside_it(tmp_path: Path, keys: Keys) -> None:
    check = tmp_path / "check.json"
    check.write_text("{}")
    assert sign(check, SigningKey(keys["other"].private)).signature == tmp_path / "check.json.sig"
    assert list(verify(check, trust(keys, "other")).digests) == ["."]
    words = ["--signature", f"{check}.sig", "--public_key", str(keys["other"].public)]
    assert model_signing("verify", "key", check, *words).returncode == 0
    check.write_text("[]")
    with pytest.raises(TamperedBundle, match=r"check\.json: not the file that was signed"):
        verify(check, trust(keys, "other"))


def test_folders_in_folders_are_covered(tmp_path: Path, keys: Keys) -> None:
    """As in an evidence folder, whose students lie in it, and where somebody may keep git's files."""
    evidence = tmp_path / "evidence"
    (evidence / "distilled").mkdir(parents=True)
    (evidence / "evidence.json").write_text("{}")
    (evidence / "distilled" / "model.onnx").write_bytes(b"weights")
    sign(evidence, SigningKey(keys["release"].private))
    assert set(verify(evidence, trust(keys)).digests) == {"evidence.json", "distilled/model.onnx"}
    (evidence / ".gitattributes").write_text("* text")
    with pytest.raises(TamperedBundle, match=r"\.gitattributes: not covered"):
        verify(evidence, trust(keys))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


HARM: dict[str, tuple[Callable[[Path], object], str]] = {
    "no signature": (lambda b: (b / "model.sig").unlink(), "bundle: is not signed, expected a signature at"),
    "a byte of the model": (lambda b: flip(b / "model.onnx"), "model.onnx: not the file that was signed"),
    "a byte of the manifest": (lambda b: flip(b / "manifest.json"), "manifest.json: not the file that was signed"),
    "a file more": (lambda b: (b / "extra").touch(), "extra: not covered by the signature"),
    "a file that git reads": (lambda b: (b / ".gitignore").touch(), ".gitignore: not covered by the signature"),
    "a folder more": (lambda b: ((b / "d").mkdir(), (b / "d" / "f").touch()), "d/f: not covered by the signature"),
    "a file less": (lambda b: (b / "ood.npz").unlink(), "ood.npz: missing, the signature lists it"),
    "a link": (lambda b: (b / "l").symlink_to("model.onnx"), "l: is a link, expected files alone"),
    "a link to the same": (
        lambda b: (shutil.move(b / "ood.npz", b.parent / "x"), (b / "ood.npz").symlink_to(b.parent / "x")),
        "ood.npz: is a link",
    ),
    "a pipe": (lambda b: os.mkfifo(b / "p"), "p: is neither file nor folder"),
    "a signature that is a pipe": (
        lambda b: ((b / "model.sig").unlink(), os.mkfifo(b / "model.sig")),
        "model.sig: not a file",
    ),
    "an empty signature": (lambda b: (b / "model.sig").write_bytes(b""), "model.sig: not JSON"),
    "a signature of lists": (lambda b: (b / "model.sig").write_text("[]"), "model.sig: not a signature"),
    "a signature that nests": (lambda b: (b / "model.sig").write_text("[" * 9999), "model.sig: not JSON"),
    "a huge signature": (lambda b: os.truncate(b / "model.sig", 17 << 20), "model.sig: more than 16,777,216 bytes"),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_was_harmed_does_not_verify_and_says_why(signed: Path, keys: Keys, harm: str) -> None:
    do, message = HARM[harm]
    do(signed)
    for check in (verify, open_bundle):
        with pytest.raises(BundleError) as error:
            check(signed, trust(keys))
        assert message in str(error.value) and "\n" not in str(error.value)


def edited(signature: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(signature.read_text())
    edit(data)
    signature.write_text(json.dumps(data))


def forge(data: dict[str, Any], **changes: Any) -> None:
    """Change what is signed, and leave the signature."""
    payload = json.loads(base64.b64decode(data["dsseEnvelope"]["payload"]))
    payload["predicate"].update(changes)
    data["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no signatures": lambda d: d["dsseEnvelope"].update(signatures=[]),
    "no envelope": lambda d: d.pop("dsseEnvelope"),
    "envelope of null": lambda d: d.update(dsseEnvelope=None),
    "another media type": lambda d: d.update(mediaType="text/plain"),
    "a payload that is forged": lambda d: forge(d, resources=[]),
    "a payload of another type": lambda d: d["dsseEnvelope"].update(payloadType="text/plain"),
    "a payload that is no base64": lambda d: d["dsseEnvelope"].update(payload="*"),
    "a signature of zeros": lambda d: d["dsseEnvelope"]["signatures"][0].update(sig="AAAA"),
    "a number for a signature": lambda d: d["dsseEnvelope"]["signatures"][0].update(sig=1),
    "no hint and another key": lambda d: (
        d["verificationMaterial"]["publicKey"].pop("hint"),
        forge(d, resources=[]),
    ),
    "material of null": lambda d: d.update(verificationMaterial=None),
    "a key of null": lambda d: d["verificationMaterial"].update(publicKey=None),
    "the online service's": lambda d: d.update(verificationMaterial={"certificate": {"rawBytes": ""}}),
    "a certificate's": lambda d: d.update(verificationMaterial={"x509CertificateChain": {"certificates": []}}),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_signature_is_none(signed: Path, keys: Keys, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    edited(signed / "model.sig", EDITS[name])
    with pytest.raises(BundleError, match=r"model\.sig: ") as error:
        open_bundle(signed, trust(keys))
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == "", "verdicts go there"


def test_an_old_signature_without_a_hint_verifies_without_a_word(
    signed: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(signed / "model.sig", lambda d: d["verificationMaterial"]["publicKey"].pop("hint"))
    verify(signed, trust(keys))
    assert capsys.readouterr().out == ""


def test_anothers_signature_and_another_key_are_told(signed: Path, keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.sig: does not verify: made with another key than .*other\.pub$"):
        verify(signed, trust(keys, "other"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.txt").write_text("another")
    sign(other, SigningKey(keys["release"].private))
    shutil.copy(other / "model.sig", signed)
    with pytest.raises(TamperedBundle, match=r"manifest\.json: not covered by the signature"):
        open_bundle(signed, trust(keys))


@pytest.mark.parametrize("when", ["before the manifest is read", "after it"])
def test_what_is_verified_is_what_is_loaded(
    signed: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A bundle that is whole in itself is put in the signed one's place while that is verified, or just after."""
    swapped = Path(shutil.copytree(signed, tmp_path / "swapped"))
    (swapped / "model.sig").unlink()
    manifest = open_bundle(swapped).manifest
    from dataclasses import replace

    from overproof.bundle import manifest as module
    from overproof.bundle.signing import verify as verifying

    files = dict(open_bundle(swapped).files)
    module.write_bundle(swapped, replace(manifest, seed=7), files)
    genuine, was = verifying.verify, Path.read_bytes

    def put() -> None:
        for path in swapped.iterdir():
            (signed / path.name).write_bytes(was(path))

    def verified_then(*words: Any) -> Any:
        try:
            return genuine(*words)
        finally:
            put()

    def read_before(path: Path) -> bytes:
        if path == signed / "manifest.json":
            put()
        return was(path)

    if when == "after it":
        monkeypatch.setattr(verifying, "verify", verified_then)
        assert open_bundle(signed, trust(keys)).manifest == manifest, "what was read before is what was signed"
    else:
        monkeypatch.setattr(Path, "read_bytes", read_before)
    with pytest.raises(TamperedBundle, match="not the file that was signed"):
        open_bundle(signed, trust(keys))


def test_what_the_signer_left_out_is_told(signed: Path, keys: Keys) -> None:
    (signed / "model.sig").unlink()
    words = ["--signature", signed / "model.sig", "--private_key", keys["release"].private]
    model_signing("sign", "key", signed, *words, "--ignore-paths", signed / "model.onnx")
    with pytest.raises(TamperedBundle, match=r"model\.onnx: not covered by the signature"):
        open_bundle(signed, trust(keys))


def test_a_locked_key_opens_with_its_password_alone(
    bundle: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "password"
    with pytest.raises(
        InputError, match=r"locked\.pem: is encrypted, expected its password in a --password-file or in"
    ):
        sign(bundle, SigningKey(keys["locked"].private))
    password.write_text("wrong\n")
    with pytest.raises(InputError, match=r"locked\.pem: another password, or not a private key"):
        sign(bundle, SigningKey(keys["locked"].private, password_file=password))
    assert not (bundle / "model.sig").exists()
    password.write_text(f"{PASSWORD}\n")
    sign(bundle, SigningKey(keys["locked"].private, password_file=password))
    verify(bundle, trust(keys))
    monkeypatch.setenv("OVERPROOF_KEY_PASSWORD", PASSWORD)
    for name in ("locked", "release"):  # a key that needs none takes none
        sign(bundle, SigningKey(keys[name].private))
    verify(bundle, trust(keys))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere", None, "No such file"),
        ("garbage", b"garbage", "not PEM, expected a public key in PEM"),
        ("empty", b"", "not PEM"),
        ("broken", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key in PEM"),
        ("huge", b"-" * (1 << 21), "more than 1,048,576 bytes"),
        ("release.pem", b"", "is a private key, expected a public key in PEM"),
        ("rsa.pub", b"", "a key of another kind (RSA), expected an elliptic curve's: one of P-256, P-384, P-521"),
        ("bitcoin.pub", b"", "a key of another kind (secp256k1)"),
    ],
)
def test_what_is_no_public_key_is_told(
    signed: Path, keys: Keys, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = next((p for k in keys.values() for p in (k.private, k.public) if p.name == name), tmp_path / name)
    if content:
        path.write_bytes(content)
    elif name == "empty":
        path.touch()
    with pytest.raises((InputError, FileNotFoundError)) as error:
        verify(signed, Trust(path))
    assert message in str(error.value) and name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["rsa", "bitcoin"])
def test_keys_that_the_format_does_not_have_are_refused(bundle: Path, keys: Keys, name: str) -> None:
    with pytest.raises(InputError, match="a key of another kind"):
        sign(bundle, SigningKey(keys[name].private))
    with pytest.raises(InputError, match=r"\.pub: is a public key, expected a private key"):
        sign(bundle, SigningKey(keys[name].public))


def test_only_what_is_whole_is_signed(bundle: Path, keys: Keys, tmp_path: Path) -> None:
    key = SigningKey(keys["release"].private)
    with pytest.raises(InputError, match=r"mine\.sig: is in the bundle, expected its model\.sig, or a place outside"):
        sign(bundle, key, bundle / "mine.sig")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="nothing: holds no file"):
        sign(tmp_path / "nothing", key)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        sign(tmp_path / "nowhere", key)
    with pytest.raises(InputError, match=r"x\.sig: no such folder"):
        sign(bundle, key, tmp_path / "nowhere" / "x.sig")
    (tmp_path / "nothing" / "n\udcff").touch()
    with pytest.raises(InputError, match="is not UTF-8, which a signature cannot hold"):
        sign(tmp_path / "nothing", key)
    flip(bundle / "model.onnx")
    with pytest.raises(TamperedBundle, match="changed since the bundle was written"):
        sign(bundle, key)
    assert not (bundle / "model.sig").exists()


def test_a_bundle_that_is_written_anew_has_lost_its_signature(signed: Path, keys: Keys) -> None:
    from overproof.bundle.manifest import write_bundle

    opened = open_bundle(signed, trust(keys))
    write_bundle(signed, opened.manifest, opened.files)
    assert open_bundle(signed).signature is None
    with pytest.raises(BundleError, match="is not signed"):
        open_bundle(signed, trust(keys))


def test_a_signature_may_lie_elsewhere(bundle: Path, keys: Keys, tmp_path: Path) -> None:
    place = tmp_path / "signatures" / "bundle.sig"
    place.parent.mkdir()
    sign(bundle, SigningKey(keys["release"].private), place)
    assert open_bundle(bundle).signature is None
    verify(bundle, trust(keys), place)
    with pytest.raises(BundleError, match="is not signed"):
        verify(bundle, trust(keys))


@pytest.mark.parametrize("given", [{}, {"public_key": Path("a"), "certificates": Path("b")}])
def test_one_kind_of_trust_is_given(given: dict[str, Path]) -> None:
    with pytest.raises(OverproofError, match="expected either --verify-key or --verify-certificates"):
        Trust(**given)
