"""No network: not a socket is opened, and the online half of the package is not even loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overproof.bundle.signing import library

from .conftest import Holder

WATCHED = """
import json, sys
told = []
REACHES = ("socket.", "urllib.", "http.", "webbrowser.", "subprocess.", "os.exec", "os.posix_spawn", "os.system")
sys.addaudithook(lambda name, args: told.append([name, repr(args)[:99]]) if name.startswith(REACHES) else None)
from overproof.cli import app
codes = []
for words in json.loads(sys.argv[1]):
    try:
        app(words)
    except SystemExit as ended:
        codes.append(ended.code)
online = sorted({name.partition(".")[0] for name in sys.modules} & {"requests", "sigstore", "tuf", "urllib3", "id"})
print(json.dumps([codes, told, online]), file=sys.stderr)
"""


def watched(*commands: list[str], code: str = "") -> list[Any]:
    """Exit codes, what reached out, and packages of the online half that are loaded."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + WATCHED, json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found: list[Any] = json.loads(done.stderr.splitlines()[-1])
    return found


def test_signing_and_verifying_open_no_socket(bundle: Path, keys: dict[str, Holder], issue: Any) -> None:
    key, signer = keys["release"], issue("alone")
    target, events = str(bundle), bundle.with_name("events.log")
    events.write_text("id=1' or 1=1--\n")
    judge = ["triage", target, str(events), "--verify-key", str(key.public)]
    commands = [
        ["sign", target, "--key", str(key.private)],
        ["verify", target, "--verify-key", str(key.public)],
        judge,
        ["sign", target, "--key", str(signer.private), "--certificate", str(signer.certificate)],
        ["verify", target, "--verify-certificates", str(signer.certificate)],
        judge,
    ]
    assert watched(*commands) == [[0, 0, 0, 0, 0, 2], [], []]


def test_the_watch_sees_what_it_is_for(bundle: Path) -> None:
    """What the package does on its own as it is imported: a client of HTTP opens a socket to look for IPv6."""
    told = watched(["--version"], code="import model_signing.signing\n")[2]
    assert "sigstore" in told and "urllib3" in told
    opened = "import sys; seen = []; sys.addaudithook(lambda n, a: seen.append(n)); import model_signing.signing; "
    opened += "print('socket.__new__' in seen)"
    done = subprocess.run([sys.executable, "-c", opened], capture_output=True, text=True, timeout=120)
    assert done.stdout == "True\n", "if this is False, leaving the online half out has lost one of its two reasons"


def test_the_online_half_has_nothing_in_it() -> None:
    library.load()
    from model_signing.signing import Config

    if isinstance(sys.modules.get(library.ONLINE), library._LeftOut):
        with pytest.raises(AttributeError, match="leaves the online half of model-signing out, and so its Signer"):
            Config().use_sigstore_signer()


def test_without_the_extra_it_is_named(bundle: Path, keys: dict[str, Holder]) -> None:
    for package in ("model_signing", "OpenSSL"):
        code = f"import sys; sys.modules[{package!r}] = None\n" + (
            "from overproof.cli import app\napp(['triage', sys.argv[1], '-', '--verify-key', sys.argv[2]])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, bundle, keys["release"].public], capture_output=True, text=True, timeout=120
        )
        expected = f"error: signatures need the package {package}: pip install 'overproof[sign]'\n"
        assert (done.returncode, done.stderr, done.stdout) == (2, expected, "")


def test_nothing_of_it_is_loaded_unless_it_is_asked_for(bundle: Path) -> None:
    code = "import sys; from overproof.cli import app\ntry:\n    app(['inspect', sys.argv[1]])\n"
    code += "except SystemExit: print(sorted(set(sys.modules) & {'model_signing', 'cryptography', 'OpenSSL'}))"
    done = subprocess.run([sys.executable, "-c", code, bundle], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
