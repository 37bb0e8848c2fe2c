"""What decides the label where the words do not: checked with a rule written here, family by family."""

from __future__ import annotations

import base64
import re
from random import Random

import pytest

from overproof.events.simulate import commands, flows, logs, webattacks
from overproof.events.simulate.words import actor

TRIES = 300


def before(text: str, first: str, second: str) -> bool:
    return text.index(first) < text.index(second)


def private(address: str) -> bool:
    return address.startswith(("10.", "192.168.", "172."))


def test_order_of_approval_and_audit() -> None:
    rng = Random(0)
    for _ in range(TRIES):
        who = actor(rng)
        assert before(logs.approved_change(rng, who), "approve change", "deploy build")
        assert before(logs.unapproved_change(rng, who), "deploy build", "approve change")
        gap = logs.audit_gap(rng, who)
        assert before(gap, "audit off", "export records") and before(gap, "export records", "audit on")
        pause = logs.audit_pause(rng, who)
        assert before(pause, "audit off", "audit on")
        assert before(pause, "export records", "audit off") or before(pause, "audit on", "export records")


def test_order_of_copy_and_emptying() -> None:
    rng = Random(0)
    for _ in range(TRIES):
        who = actor(rng)
        assert before(commands.log_rotation(rng, who), "cp /var/log", "truncate")
        assert before(commands.log_wiping(rng, who), "truncate", "cp /var/log")


def test_markup_is_live_or_inside_code() -> None:
    rng = Random(0)

    def inside_code(text: str) -> bool:
        return bool(re.search(r"<code>[^/]*(<script|<img|<svg|<iframe|<a |<body).*</code>", text))

    for _ in range(TRIES):
        assert inside_code(webattacks._post(rng, webattacks._markup(rng, actor(rng)), as_code=True))
        assert not inside_code(webattacks._post(rng, webattacks._markup(rng, actor(rng)), as_code=False))


def test_relative_paths_stay_and_traversals_leave_the_root() -> None:
    rng = Random(0)

    def lowest(path: str) -> int:
        depth = low = 0
        for part in path.strip("/").split("/"):
            depth += -1 if part == ".." else 1
            low = min(low, depth)
        return low

    for _ in range(TRIES):
        assert lowest(webattacks._climb(rng, out=False)) >= 0
        assert lowest(webattacks._climb(rng, out=True)) < 0


def test_bulk_data_leaves_or_arrives() -> None:
    rng = Random(0)
    for _ in range(TRIES):
        for write, leaves in ((flows.exfiltration, True), (flows.bulk_arrival, False), (flows.backup, False)):
            text = write(rng, actor(rng))
            ends = re.findall(r"_host=(\S+)", text)
            sizes = [int(size) for size in re.findall(r"_bytes=2\^(\d+)", text)]
            sender, receiver = ends if sizes[0] > sizes[1] else reversed(ends)
            assert (private(sender) and not private(receiver)) is leaves, text


@pytest.mark.parametrize(("write", "marker"), [(commands.encoded_powershell, "http://"), (commands.encoded_work, None)])
def test_encoded_commands_decode(write: object, marker: str | None) -> None:
    assert callable(write)
    rng = Random(0)
    found = 0
    for _ in range(TRIES):
        match = re.search(r"-(?:enc|EncodedCommand|e|ec) (\S+)$", write(rng, actor(rng)))
        if match:
            script = base64.b64decode(match[1], validate=True).decode("utf-16-le")
            assert script.isascii()
            assert marker in script if marker else "http://" not in script
            found += 1
    assert found > TRIES / 4
