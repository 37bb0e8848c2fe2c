"""Run shell scripts where they can reach nothing, and write down what they would have done.

Started by `namespace.py` as a process of its own, with the standard library alone: it leaves the network, the host's
processes and its files behind, builds a file system in memory that holds one shell and its libraries, and runs every
script in there without privileges, with limits, and with a PATH that leads nowhere. Every command that the shell would
have started is written down instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

CLONES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # NS, CGROUP, UTS, IPC, PID, NET
NEW_USER = 0x10000000
MS_NOSUID_NODEV, MS_BIND, MS_REC_PRIVATE = 2 | 4, 4096, 16384 | 262144
NO_NEW_PRIVILEGES, DROP_BOUND, CAPABILITIES = 38, 24, 64
NOBODY = 65534
LONGEST = 1 << 16
CAP_VERSION_3 = 0x20080522

FOLDERS = (
    "bin dev etc home/user lib opt root sbin srv tmp usr/bin usr/local/bin usr/sbin var/log var/tmp var/www".split()
)
FILES = {"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/shadow": "root:*:1::::::\n", "etc/hosts": "127.0.0.1 here\n"}
PRIVATE = ".shell"

PRELUDE = r"""
command_not_found_handle() {
  set +x
  local input='' given word line
  local -a words=()
  IFS= read -r -d '' -n 400 input
  for word in "$@"; do
    case $1 in
      cat|ls|head|tail|less|more|cp|mv|rm|mkdir|rmdir|touch|chmod|chown|find|stat|file|wc|tac|nl|od|xxd|strings|tar)
        if [[ $word == /* && $word != *[!A-Za-z0-9_./@+-]* ]]; then
          while [[ $word == *//* || $word == */./* ]]; do word=${word//\/\//\/}; word=${word//\/.\//\/}; done
        fi ;;
    esac
    words+=("$word")
  done
  given=${words[*]}${input:+<$input}
  printf -v line '%q ' "${words[@]}"
  printf '\2%s< %q\n' "$line" "$input" >&9
  given=${given//[!A-Za-z0-9\/.-]/_}
  printf '\3%s\n' "${given:0:200}" >&2
  trap '' PIPE
  printf '%s\n' "${given:0:200}" 2>&-
  return STATUS
}
enable -n kill ulimit suspend umask [ test
unset BASH_ENV OLDPWD
readonly -f command_not_found_handle
PATH=/nowhere HOME=/root USER=root RANDOM=1 SECONDS=0
cd /var/www
PS4=$'\1''$BASHPID ${FUNCNAME[0]-} '
BASH_XTRACEFD=9
set -x
"""

libc = ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    """Raise what the system said when it refused."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount one file system."""
    encoded = [None if part is None else os.fsencode(part) for part in (source, str(target), kind, data)]
    must(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


def leave_the_host() -> None:
    """Take new namespaces: as root of the machine where that is allowed, else as root of a new user namespace."""
    user, group = os.getuid(), os.getgid()
    if user != 0 or libc.unshare(CLONES) != 0:
        must(libc.unshare(CLONES | NEW_USER), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    mount("none", Path("/"), None, MS_REC_PRIVATE)


def build(root: Path, shell: str, libraries: list[str]) -> None:
    """Fill the file system: a shell, its libraries, /dev/null, a few folders and files that attacks look for."""
    for folder in [*FOLDERS, PRIVATE]:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for library in libraries:
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
        target.chmod(0o555)
    shutil.copy(shell, root / PRIVATE / "bash")
    (root / PRIVATE / "bash").chmod(0o555)
    for status in (0, 127):
        (root / PRIVATE / f"prelude{status}").write_text(PRELUDE.replace("STATUS", str(status)))
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o555 if PRIVATE in folder else 0o777)
    (root / "dev/null").touch()
    mount("/dev/null", root / "dev/null", None, MS_BIND)


def reset(root: Path, base: set[str]) -> dict[str, str]:
    """Take away what a script left behind, and return it."""
    left: dict[str, str] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            key = str(path.relative_to(root))
            if key in base:
                continue
            text = path.read_bytes()[:LONGEST].decode("latin-1") if path.is_file() else ""
            if FILES.get(key) != text:
                left[key] = text
            path.unlink()
    for key, text in FILES.items():
        (root / key).write_text(text)
        (root / key).chmod(0o666)
    return left


def give_up_privileges(is_root: bool) -> None:
    """Become nobody, drop every capability, and set the limits."""
    limits = {"CPU": 3, "FSIZE": 1 << 19, "NPROC": 200, "NOFILE": 64, "CORE": 0, "AS": 1 << 29}
    for name, limit in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    for capability in range(CAPABILITIES):
        libc.prctl(DROP_BOUND, capability, 0, 0, 0)
    if is_root:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    header = (ctypes.c_uint32 * 2)(CAP_VERSION_3, 0)
    must(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    must(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no new privileges")


def start(script: bytes, status: int, root: Path, files: list[int], is_root: bool) -> None:
    """Become the shell that runs one script; never returns."""
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        for target, source in enumerate((null, *files[:2])):
            os.dup2(source, target)
        os.dup2(files[2], 9)
        os.closerange(10, 256)
        os.closerange(3, 9)
        os.chroot(root)
        os.chdir("/")
        give_up_privileges(is_root)
        for number in range(1, signal.NSIG):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        environment = {"BASH_ENV": f"/{PRIVATE}/prelude{status}", "LC_ALL": "C"}
        os.execve(f"/{PRIVATE}/bash", ["bash", "--noprofile", "--norc", "-c", script.decode("latin-1")], environment)
    finally:
        os._exit(99)


def wait(seconds: float) -> bool:
    """Wait until no process is left, or kill all that are when the time is over; True where all ended by themselves."""
    end, ended = time.monotonic() + seconds, True
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return ended
        left = end - time.monotonic()
        if left <= 0:
            ended = False
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        signal.sigtimedwait([signal.SIGCHLD], max(left, 0.05))


def run(case: dict[str, Any], root: Path, base: set[str], is_root: bool) -> dict[str, Any]:
    """Run one script, and return what it did."""
    names = ["out", "err", "trace"]
    files = [os.open(root.parent / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND) for name in names]
    if os.fork() == 0:
        start(case["script"].encode("latin-1"), case["status"], root, files, is_root)
    done: dict[str, Any] = {"ended": wait(case["seconds"])}
    for name, file in zip(names, files, strict=True):
        done[name] = os.pread(file, LONGEST, 0).decode("latin-1")
        done["ended"] = done["ended"] and os.fstat(file).st_size <= LONGEST
        os.close(file)
    done["files"] = reset(root, base)
    done["ended"] = done["ended"] and all(len(text) < LONGEST for text in done["files"].values())
    return done


def main() -> None:
    """Read the cases, go where nothing can be reached, and write an answer a line."""
    order = json.load(sys.stdin)
    is_root = os.getuid() == 0
    leave_the_host()
    if child := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    must(libc.prctl(1, signal.SIGKILL, 0, 0, 0), "die with the parent")
    is_root = is_root and "4294967295" in Path("/proc/self/uid_map").read_text()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    # The copies are made before the new file system hides the folder it is mounted on.
    mount("none", Path("/tmp"), "tmpfs", MS_NOSUID_NODEV, "size=64m,mode=0700")
    root = Path("/tmp/root")
    root.mkdir()
    os.umask(0)
    build(root, order["shell"], order["libraries"])
    base = {str((Path(f) / n).relative_to(root)) for f, _, names in os.walk(root) for n in names}
    reset(root, base)
    os.chmod("/tmp", 0o755)
    for case in order["cases"]:
        sys.stdout.write(json.dumps(run(case, root, base, is_root)) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
