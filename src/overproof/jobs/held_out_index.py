"""Say in a file what was trained without a family: written last, and read as strictly as anything that is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from overproof.bundle.manifest_schema import parsed
from overproof.checks.base import FULL
from overproof.errors import BundleError
from overproof.files import atomic_write
from overproof.jobs.retrain_teacher import TEACHER
from overproof.progress import one_line
from overproof.results.typed_json import from_json, to_json

DONE = "held-out.json"
BUNDLE = "bundle"
BUNDLES = (BUNDLE, f"{BUNDLE}.failed")  # where a guard does not hold, a compression is written under the other name
MEMBER = re.compile(rf"{TEACHER}(-[0-9]{{1,9}})?(@[0-9.e+-]{{1,30}})?")  # `retrain_teacher.retrain` names them so


@dataclass(frozen=True)
class Done:
    """What lies in the folder of a family that models were trained without.

    Attributes
    ----------
    family
        The family.
    absent
        Model to why it is not there.
    teacher
        The folders of the full model's members, with their weights.
    bundle
        The student's folder.
    """

    family: str
    absent: Mapping[str, str] = field(default_factory=dict)
    teacher: tuple[str, ...] = (TEACHER,)
    bundle: str = BUNDLE

    def write(self, place: Path) -> None:
        """Write it into the family's folder."""
        atomic_write(place / DONE, json.dumps(to_json(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Done:
        """Read it back.

        Raises
        ------
        BundleError
            A file that cannot be read or is not what was written, or that names a folder which is not the family's own.
        """
        expected = "expected what `overproof check --hold-out` writes"
        try:
            found = from_json(cls, parsed(path.read_bytes(), str(path), BundleError))
        except OSError as error:
            raise BundleError(f"{path}: {error.strerror}; {expected}") from None
        except ValueError as error:
            raise BundleError(f"{path}: {one_line(str(error))}; {expected}") from None
        outside = [name for name in found.teacher if not MEMBER.fullmatch(name)]
        if found.bundle not in BUNDLES or outside or not set(found.absent) <= {FULL}:
            raise BundleError(f"{path}: names models that are not in its folder; {expected}")
        if FULL not in found.absent and not found.teacher:
            raise BundleError(f"{path}: neither names a teacher nor says why there is none; {expected}")
        return found
