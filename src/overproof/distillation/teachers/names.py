"""Give a teacher's classes the names that the events' labels have: `names:Malicious=malicious,Benign=benign:SPEC`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from overproof.bundle.scores import Floats
from overproof.distillation.teachers.contract import require_classes
from overproof.distillation.teachers.interface import Report, Teacher, TeacherCard
from overproof.errors import InputError

NAMES = "names:"


@dataclass(frozen=True)
class RenamedTeacher:
    """A teacher under other class names; what it answers is the same."""

    teacher: Teacher
    classes: tuple[str, ...]

    @property
    def card(self) -> TeacherCard:
        """The teacher's own."""
        return self.teacher.card

    @property
    def labels_new_events(self) -> bool:
        """As the teacher does."""
        return self.teacher.labels_new_events

    def logits(self, events: pa.Table, report: Report | None = None) -> Floats:
        """Return the teacher's logits, shape (events, classes)."""
        return self.teacher.logits(events, report)


def named(spec: str) -> tuple[dict[str, str], str]:
    """Divide a specification from the names before it: old to new, none where it begins with none.

    Raises
    ------
    InputError
        They are no pairs, or name a class twice.
    """
    if not spec.startswith(NAMES):
        return {}, spec
    listed, colon, rest = spec.removeprefix(NAMES).partition(":")
    pairs = [tuple(part.strip() for part in pair.partition("=")[::2]) for pair in listed.split(",")]
    names = {old: new for old, new in pairs if old and new}
    if not colon or not rest or len(names) < len(pairs):
        raise InputError(f"{spec}: expected {NAMES}OLD=NEW,OLD=NEW:TEACHER, each old name once")
    return names, rest


def renamed(teacher: Teacher, names: Mapping[str, str]) -> Teacher:
    """Return a teacher under those names; itself where there are none.

    Raises
    ------
    InputError
        It has no class of an old name, or two classes come to have one name.
    """
    if not names:
        return teacher
    where = f"teacher {teacher.card.name}"
    if unknown := [old for old in names if old not in teacher.classes]:
        raise InputError(
            f"{where}: {NAMES} has {', '.join(map(repr, unknown))}, expected some of its classes: "
            f"{', '.join(teacher.classes)}"
        )
    classes = tuple(names.get(name, name) for name in teacher.classes)
    require_classes(classes, where)
    return RenamedTeacher(teacher, classes)
