"""What daemons, servers and collectors write: as many records, and the same texts, as other programs find in them."""

from __future__ import annotations

import json
import re

from .independent import jq, said
from .test_independent_counts import FILLED


def written(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_commands_of_auditd_are_those_of_perl(read) -> None:
    """Arguments are quoted where all of one is printable, has no blank and no quote, else in hexadecimal."""

    def argument(text: str) -> str:
        return f'"{text}"' if re.fullmatch(r"[!#-~]+", text) else text.encode().hex().upper()

    lines = []
    for number, text in enumerate(FILLED):
        stamp = f"msg=audit(1772705472.{number:03}:{number}):"
        lines += [
            f'type=SYSCALL {stamp} arch=c000003e syscall=59 success=yes comm="sh"',
            f'type=EXECVE {stamp} argc=3 a0="sh" a1="-c" a2={argument(text)}',
            f'type=CWD {stamp} cwd="/root"',
        ]
    data = written(lines)
    table, rejects = read("audit.log", data)
    decode = r'next unless /^type=EXECVE/; @a = /a\d=("[^"]*"|[0-9A-F]+)/g; print join(" ", map { /^"(.*)"$/ ? $1 : pack("H*", $_) } @a), "\0"'  # fmt: skip  # noqa: E501
    theirs = said("perl", "-ne", decode, given=data).decode().split("\0")[:-1]
    commands = [event["text"] for event in table.to_pylist() if event["kind"] == "auditd-execve"]
    assert commands == theirs == [f"sh -c {text}" for text in FILLED]
    assert table.num_rows == int(said("grep", "-c", "^type=", given=data)) and rejects.total == 0


def test_messages_of_gelf_are_those_of_jq(read) -> None:
    """Messages of GELF over TCP end with NUL; the longer text is `full_message`, where there is one."""
    records = [
        {"version": "1.1", "host": f"web{number % 3}", "short_message": text}
        | ({"full_message": f"{text} and more"} if number % 4 == 0 else {})
        for number, text in enumerate(FILLED)
    ]
    for divided in ("\n", "\0"):
        data = "".join(json.dumps(record, ensure_ascii=False) + divided for record in records).encode()
        table, rejects = read("odd.gelf", data)
        theirs = jq(data.replace(b"\0", b"\n"), "[.full_message // .short_message, .host]")
        assert [list(row.values()) for row in table.select(["text", "host"]).to_pylist()] == theirs
        assert rejects.total == 0


def test_events_of_splunks_collector_are_those_of_jq(read) -> None:
    """The collector takes objects one behind the other, whatever stands between them; an event is text or an object."""
    records = [
        {"time": 1767596784, "host": "web1", "event": text if number % 2 else {"message": text, "n": number}}
        for number, text in enumerate(FILLED)
    ]
    texts = [{"time": 1767596784, "host": "web1", "event": text} for text in FILLED]
    for form, some in (("", [each for each in records if isinstance(each["event"], dict)]), (" ", texts)):
        data = form.join(json.dumps(record) for record in some).encode()
        table, rejects = read("hec.json", data)
        theirs = jq(data, '.event | if type == "object" then .message else . end')
        assert (table["text"].to_pylist(), rejects.total) == (theirs, 0)


def test_requests_in_nginx_json_are_those_of_jq(read) -> None:
    lines = [
        json.dumps(
            {
                "time_iso8601": "2026-01-05T07:06:24+00:00",
                "remote_addr": f"192.0.2.{number % 200}",
                "request_method": "GET",
                "request_uri": f"/{number}",
                "status": str(200 + number % 3),
                "http_user_agent": text,
            },
            ensure_ascii=number % 2 == 0,
        )
        for number, text in enumerate(FILLED)
    ]
    data = written(lines)
    table, rejects = read("access.json", data)
    theirs = jq(data, "[.remote_addr, .request_uri, .http_user_agent, (.status | tonumber)]")
    ours = table.select(["src_ip", "url", "user_agent", "status"]).to_pylist()
    assert [list(row.values()) for row in ours] == theirs
    assert [event["text"] for event in table.to_pylist()] == [f'HTTP GET {row[1]} ua="{row[2]}"' for row in theirs]
    assert rejects.total == 0
