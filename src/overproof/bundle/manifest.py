"""Write and open the bundle: the folder that is deployed, and the border between compress time and deploy time.

Written with the manifest last, opened with every hash checked before anything is parsed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overproof.bundle.manifest_schema import parsed, require_schema
from overproof.bundle.numbers import require_numbers
from overproof.bundle.onnx_bytes import require_whole
from overproof.bundle.readers import READ_WITH
from overproof.bundle.signing import SIGNATURE, UNVERIFIED
from overproof.bundle.tokenizer import Windowing
from overproof.errors import BundleError, InputError, TamperedBundle
from overproof.files import atomic_folder, recover_folder
from overproof.progress import why

if TYPE_CHECKING:
    from overproof.bundle.signing import Trust

FORMAT = 2
TIERED = 3  # a bundle of two students: what reads but one of them must not take it for a bundle of that one
READABLE = (1, FORMAT, TIERED)  # a bundle of format 1 holds no configuration
MANIFEST = "manifest.json"
MOST_BYTES = 16 << 20  # of the manifest, which nothing says the size of
MODEL, COMPARISON = "model.onnx", "comparison.json"
OOD = "ood.npz"  # the detector of events out of distribution; not in every bundle
FORMER_FILES = {"novelty.npz": OOD}  # files of bundles of format 1
FORMER_SIGNALS = {"novelty": "ood_distance"}
QUANTIZING = "quantizing.json"  # what quantization cost, layer by layer, and the guards it was held to
QUANTIZATION = "quantization.json"  # what it did to each layer: grids, histograms, errors
HARDENING = "hardening.json"  # how often edits fool the student, round after round; not in every bundle
LADDER = "ladder.json"  # the students of several sizes that this one was taken from; not in every bundle
REPORTS = (COMPARISON, QUANTIZING, QUANTIZATION, LADDER, HARDENING)  # what nobody needs to judge an event
FIRST = "first."  # begins the names of a first student's files, of which one is the manifest that it had alone
SENSITIVITY = "sensitivity.svg"  # a picture of QUANTIZING, beside an ONNX file; of a bundle it is drawn on demand
CARD = "README.md"  # for people
BESIDE = {CARD, ".gitattributes"}  # may lie in its folder unlisted, and decide nothing: the Hugging Face Hub has them


@dataclass(frozen=True)
class FirstStudent:
    """What the first of two students may decide; the second decides the rest (`bundle.tiers`).

    Attributes
    ----------
    benign, attack
        The least calibrated probability of its label at which it decides an event, where that label is benign and where
        it is an attack; None where it decides no such event.
    ood_limit
        The greatest distance, by its own detector, at which it decides an event.
    ood_scale
        What its distances are multiplied by, so that its limit becomes the second student's distance of the same share
        of the validation events.
    chosen
        How the thresholds were chosen: limits, and what was counted on how many validation events.
    """

    benign: float | None
    attack: float | None
    ood_limit: float
    ood_scale: float
    chosen: Mapping[str, Any]


@dataclass(frozen=True)
class Manifest:
    """What is in a bundle and where it came from.

    Attributes
    ----------
    format
        Version of the bundle format it was read from.
    overproof
        Version that wrote it.
    classes, benign
        Class names in the order of the logits; those that are benign.
    windowing, normalization
        How text becomes windows; what is done to it before (`none`: bytes as they are).
    thresholds
        Attack probability per false-positive rate, from validation events; None where unmeasured.
    temperature, hard_weight, seed
        How the student was taught.
    precision
        `int8` for a quantized student (`w4a8`, `w4a32` with 4-bit weights), `fp32` for a teacher.
    network
        Preset and sizes of the network.
    data
        Rows, fingerprints and kinds of the events.
    teacher
        The teacher's card.
    parity
        What every conversion step changed.
    versions
        Of the libraries that made it.
    files
        File name to {sha256, bytes}.
    margin
        Recall that may be lost against the full model, as a share, fixed before anything was measured; None in a bundle
        that was made without.
    calibration
        The temperature at which its probabilities are calibrated on validation events; None where there were none.
    signals
        How sure it is of validation events, and how new they are to it (`cascade.signals`); None in a bundle that was
        made without.
    config
        The whole configuration of the job that made it, as plain JSON (`jobs.config`); None in a bundle of format 1.
    first
        What the first of two students may decide; None in a bundle of one. All other entries are of the second, but
        `thresholds` and `signals`, which are of both together.
    """

    format: int
    overproof: str
    classes: tuple[str, ...]
    benign: tuple[str, ...]
    windowing: Windowing
    normalization: str
    thresholds: Mapping[str, float | None]
    temperature: float
    hard_weight: float
    seed: int
    precision: str
    network: Mapping[str, Any]
    data: Mapping[str, Any]
    teacher: Mapping[str, Any]
    parity: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, str]
    files: Mapping[str, Mapping[str, Any]]
    margin: float | None = None
    calibration: float | None = None
    signals: Mapping[str, Mapping[str, float | None]] | None = None
    config: Mapping[str, Any] | None = None
    first: FirstStudent | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The sha256 of each student's model file, in the order in which they are asked."""
        prefixes = ("",) if self.first is None else (FIRST, "")
        return tuple(str(self.files[f"{prefix}{MODEL}"]["sha256"]) for prefix in prefixes)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of record among the events that were taught (`events.templates.KINDS`); empty where none is told.

        Bundles that were made before decision 057, and models that were quantized without their events, tell none.
        """
        told = self.data.get("kinds")
        return frozenset(told) if isinstance(told, dict) else frozenset()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, as stored; without `first` where there is none, as before there was any."""
        return {name: value for name, value in asdict(self).items() if name != "first" or value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str) -> Manifest:
        """Read a manifest back; BundleError names what is missing, of another format, or no number in its range."""
        stored = data.get("format")
        if stored not in READABLE:
            raise BundleError(f"{where}: bundle format {stored!r}, this version reads {_listed(READABLE)}")
        since = {"first": TIERED}  # the format that an entry is of, where it has a default and is not of the second
        missing = [
            f.name
            for f in fields(cls)
            if f.name not in data and (stored >= since.get(f.name, FORMAT) or f.default is MISSING)
        ]
        if missing:
            raise BundleError(f"{where}: no entry {', '.join(missing)}")
        if (data.get("first") is not None) != (stored == TIERED):
            raise BundleError(f"{where}: bundle format {stored}; {TIERED} and no other has an entry first")
        require_schema(data, where)
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        try:
            known["windowing"] = Windowing(**known["windowing"])
            for name in ("classes", "benign", "parity"):
                known[name] = tuple(known[name])
            if known.get("signals") is not None:
                known["signals"] = {FORMER_SIGNALS.get(name, name): v for name, v in known["signals"].items()}
            if known.get("first") is not None:
                known["first"] = FirstStudent(**known["first"])
            require_numbers({**known, "first": data.get("first")}, where)
        except (TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
            raise BundleError(f"{where}: {why(error)}") from None
        return cls(**known)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its manifest and its files' bytes, verified.

    Attributes
    ----------
    signature
        Who signed it, as far as that was verified; `UNVERIFIED` where it has a signature that nobody asked to verify,
        None where it has none.
    """

    path: Path
    manifest: Manifest
    files: Mapping[str, bytes]
    signature: str | None = None


def digest(content: bytes) -> dict[str, Any]:
    """Return hash and size of a file's content, as the manifest stores them."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def write_bundle(out: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a bundle beside `out` and rename it into place; `manifest.files` must describe `files`.

    Raises
    ------
    InputError
        If `out` holds something that is not a bundle: it is left alone.
    BundleError
        A number in the manifest that is none, or out of its range: the bundle could not be opened.
    """
    require_free(out)
    require_numbers(manifest.to_json(), str(out / MANIFEST))
    with atomic_folder(out) as aside:
        for name, content in files.items():
            (aside / name).write_bytes(content)
        (aside / MANIFEST).write_bytes(sealed(manifest))


def copy_bundle(bundle: Bundle, out: Path, card: str) -> None:
    """Write a bundle that is open into another folder, with its signature if it has one, and a card for people.

    Raises
    ------
    InputError
        If `out` holds something that is not a bundle: it is left alone.
    TamperedBundle
        If manifest or signature are others by now than when it was opened.
    """
    require_free(out)
    with atomic_folder(out) as aside:
        for name, content in bundle.files.items():
            (aside / name).write_bytes(content)
        for name in (MANIFEST, SIGNATURE):  # to the byte: the one signs the other
            if (bundle.path / name).is_file():
                (aside / name).write_bytes((bundle.path / name).read_bytes())
        (aside / CARD).write_bytes(card.encode())
        if seal(open_bundle(aside).manifest) != seal(bundle.manifest):
            raise TamperedBundle(f"{bundle.path / MANIFEST}: changed since it was read")


def require_free(out: Path) -> None:
    """Raise InputError unless `out` is absent, an empty folder or a bundle to be replaced."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MANIFEST).is_file())):
        raise InputError(f"{out}: exists and is not a bundle; choose another folder")


def open_bundle(path: Path | str, trust: Trust | None = None) -> Bundle:
    """Read and verify a bundle.

    Every file is read once, and what was hashed is what is used. A signature covers the manifest, which holds the hash
    of every other file: what changes on the disk after it was verified is seen.

    Parameters
    ----------
    trust
        Whose signature the bundle has to have; None asks for none.

    Raises
    ------
    BundleError
        No folder, no manifest, or another format; no signature, or one that does not count.
    TamperedBundle
        A file that is changed, missing or extra; the message names it.
    InputError, MissingExtra
        With `trust`: see `signing.verify.verify`.
    """
    folder = Path(path)
    recover_folder(folder)
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder, expected a bundle (what overproof compress writes)")
    if not (folder / MANIFEST).is_file():
        raise BundleError(_no_bundle(folder))
    if (folder / MANIFEST).stat().st_size > MOST_BYTES:
        raise TamperedBundle(f"{folder / MANIFEST}: more than {MOST_BYTES:,} bytes, expected a manifest")
    signature = UNVERIFIED if os.path.lexists(folder / SIGNATURE) else None
    content = (folder / MANIFEST).read_bytes()
    if trust is not None:
        from overproof.bundle.signing.verify import verify

        signed = verify(folder, trust)
        signed.require(MANIFEST, content)
        signature = signed.signer
    manifest = unsealed(content, str(folder / MANIFEST))
    files = _listed_files(folder, manifest)
    if MODEL not in files:
        raise TamperedBundle(f"{folder / MODEL}: missing, every bundle has one")
    if not any(name in files for name in READ_WITH):
        raise TamperedBundle(f"{folder}: neither {' nor '.join(READ_WITH)}, every bundle has one of them")
    for name in (f"{FIRST}{MANIFEST}", f"{FIRST}{MODEL}"):
        if manifest.first is not None and name not in files:
            raise TamperedBundle(f"{folder / name}: missing, every bundle of two students has one")
    for name in (MODEL, f"{FIRST}{MODEL}"):
        if name in files:
            require_whole(files[name], str(folder / name), onnx=False)
    return Bundle(folder, manifest, {FORMER_FILES.get(name, name): held for name, held in files.items()}, signature)


def _no_bundle(folder: Path) -> str:
    """Say what a folder without a manifest is instead, and of a checkpoint the command that makes a bundle of it."""
    if not (folder / "config.json").is_file():
        return f"{folder}: no {MANIFEST}, expected a bundle (what overproof compress writes)"
    named = shlex.quote(str(folder))
    made = shlex.quote(f"{str(folder).rstrip('/')}-bundle")
    return (
        f"{folder}: a Hugging Face checkpoint, expected a bundle, which `overproof compress EVENTS --teacher {named} "
        f"--out {made}` makes of it; the events need no labels"
    )


def _listed_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Read the files that a manifest lists; TamperedBundle of one that is not as it was written, and of any other."""
    found = {entry.name for entry in os.scandir(folder)} - {MANIFEST}
    if SIGNATURE in found and (folder / SIGNATURE).is_file() and not (folder / SIGNATURE).is_symlink():
        found.remove(SIGNATURE)  # it covers the manifest, which cannot list it
    for name in sorted(found - set(manifest.files) - BESIDE):
        raise TamperedBundle(f"{folder / name}: not listed in the manifest")
    files = {}
    for name, listed in manifest.files.items():
        entry = folder / name
        if name not in found or entry.is_symlink() or not entry.is_file():
            raise TamperedBundle(f"{entry}: missing, the manifest lists it")
        # one of another size is not read: it may be larger than memory
        if entry.stat().st_size != listed["bytes"] or digest(content := entry.read_bytes()) != listed:
            raise TamperedBundle(f"{entry}: changed since the bundle was written (sha256 differs)")
        files[name] = content
    return files


def inspect(path: Path | str, trust: Trust | None = None) -> dict[str, Any]:
    """Verify a bundle, and return what is in it: see `contents_of`."""
    return contents_of(open_bundle(path, trust))


def contents_of(bundle: Bundle) -> dict[str, Any]:
    """Return what is in a bundle, and what it is made from, as JSON: manifest, signature, stored results, sizes."""
    from overproof.bundle.made_from import made_from

    total = sum(len(content) for content in bundle.files.values()) + (bundle.path / MANIFEST).stat().st_size
    return {
        "path": str(bundle.path),
        "verified": True,
        "signature": bundle.signature,
        "bytes": total,
        "made_from": made_from(bundle),
        "manifest": bundle.manifest.to_json(),
        "comparison": _stored(bundle, COMPARISON),
        "ladder": _stored(bundle, LADDER),
        "hardening": _stored(bundle, HARDENING),
    }


def _stored(bundle: Bundle, name: str) -> Any:
    """Return what a JSON file of the bundle holds; None where there is no such file."""
    return parsed(bundle.files[name], str(bundle.path / name), BundleError) if name in bundle.files else None


def seal(manifest: Manifest) -> str:
    """Return the sha256 of a manifest, and so of the whole bundle: it holds the hash of every file."""
    return _seal(manifest.to_json())


def sealed(manifest: Manifest) -> bytes:
    """Return the manifest's JSON with its own hash inside, so that a change to it is seen too."""
    return json.dumps({**manifest.to_json(), "sha256": seal(manifest)}, indent=1).encode()


def unsealed(content: bytes, where: str) -> Manifest:
    """Read what `sealed` returned.

    Raises
    ------
    TamperedBundle
        If it is something else.
    BundleError
        See `Manifest.from_json`.
    """
    data = parsed(content, where, TamperedBundle)
    if not isinstance(data, dict):
        raise TamperedBundle(f"{where}: expected a JSON object")
    seal = data.pop("sha256", None)
    try:
        intact = seal == _seal(data)
    except RecursionError:
        raise TamperedBundle(f"{where}: nests too deeply, expected a manifest") from None
    if not intact:
        raise TamperedBundle(f"{where}: changed since the bundle was written (its own sha256 differs)")
    return Manifest.from_json(data, where)


def _seal(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _listed(numbers: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
