"""Who is told of an installation, hooks, and that no secret of the answer leaks anywhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import tarfile
from dataclasses import replace
from io import BytesIO

from tests.lab import disks
from tests.lab.answers import HOSTNAME, PASSWORD, answer
from tests.lab.glass import Glass
from tests.lab.host import Host
from tests.lab.install import BOOT_PROBLEMS, FAILED, FINISHED, INSTALL_SECONDS, boot, installer_machine, new_target
from tests.lab.keys import test_key
from tests.lab.machine import Firmware, Machine
from tests.lab.medium import embedded
from tests.lab.paths import RESULTS
from tests.lab.scenario import scenario
from tests.lab.stage import Stage, expect
from tests.unit.notify.receivers import Receiver, SyslogServer, receiver, syslog_tcp
from tests.unit.spec.webserver import Authority
from zeroth.system.files import atomic_write

SERVER = "10.0.2.100"
SECRET, TOKEN = "lab-signing-secret-77", "lab-bearer-token-88"
CHAP, JOIN, BMC = "lab-chap-secret-99", "lab-join-token-66", "lab-bmc-password-55"
SECRETS = (PASSWORD, SECRET, TOKEN, CHAP, JOIN, BMC)
# Looks at every process's arguments and environment, in a unit of its own: what a hook leaves running ends with it.
# The words that it looks for stand backwards in it, so that it does not find itself.
_WATCH = """rev > /run/lab-words <<'END'
{words}
END
cat > /run/lab-watch <<'END'
while sleep 0.3; do
  date >> /run/lab-looks
  grep -aFlf /run/lab-words /proc/[0-9]*/cmdline /proc/[0-9]*/environ >> /run/lab-seen 2>/dev/null
done
END
systemd-run --quiet --unit=lab-watch sh /run/lab-watch
echo 'the watch began'
"""
_SEEN = """echo "looked $(wc -l < /run/lab-looks) times, saw $(sort -u /run/lab-seen | wc -l) secrets"
sort -u /run/lab-seen | head -20
"""


@scenario(minutes=12)
def reports(stage: Stage) -> None:
    """A webhook and a syslog server are told everything, hooks run at their stages, and no secret shows anywhere."""
    authority = Authority(stage.folder)
    atomic_write(stage.folder / "ca.pem", authority.pem)
    credentials = authority.certificate("server", SERVER)
    medium = embedded(stage.folder / "site.iso", "--ca", stage.folder / "ca.pem")
    target = new_target(stage, Firmware.BIOS)
    with receiver(credentials) as told, syslog_tcp(credentials, idle=INSTALL_SECONDS) as log:
        # The first one is refused, and comes again.
        told.answers = [503]
        files = answer(hooks=_hooks(), notify=_notify(), **_more_secrets())
        web = int(told.url.split(":")[2].split("/")[0])
        machine = installer_machine(stage, target, files, medium=medium)
        machine = replace(machine, services=((f"{SERVER}:443", web), (f"{SERVER}:6514", log.port)))
        with stage.step("install, and tell"):
            host = stage.start(machine, "install")
            host.wait_for(FINISHED, INSTALL_SECONDS, never=f"{FAILED}|{BOOT_PROBLEMS}")
            host.wait_stopped(120)
            console = host.serial.text()
            host.kill()
        _check_webhook(told)
        _check_syslog(log)
        _check_hooks(console)
        everything = {
            "the console": console.encode(),
            "a webhook": b"".join(post.body for post in told.tried),
            "syslog": bytes(log.data),
        }
    with stage.step("first boot"):
        host = boot(stage, target.machine())
        expect(host.ssh("cat /etc/lab-post").strip() == f"post of {HOSTNAME}", "the hook of %post left nothing")
        bundle = host.ssh_full(
            "zeroth support bundle --output /tmp/b.tar.gz >/dev/null && base64 /tmp/b.tar.gz"
        ).stdout
        everything |= {f"the support bundle: {name}": text for name, text in _members(bundle).items()}
        _check_host(host)
        everything["the console of the host"] = host.serial.text().encode()
        host.kill()
    for where, text in everything.items():
        leaked = [word for word in SECRETS if word.encode() in text]
        expect(not leaked, f"{where} tells {leaked}")
    with stage.step("look at the raw disk"):
        # Everything else is kept until a step of first boot needed it; the password was never kept in clear.
        expect(
            not disks.holds(target.disk.path, PASSWORD.encode()),
            "the root password stands in clear somewhere on the disk",
        )


@scenario(minutes=5)
def installer_ssh(stage: Stage) -> None:
    """Without an answer, who has the medium's ssh key logs in to the installer and has its screens there."""
    key = test_key().with_suffix(".pub")
    medium = embedded(stage.folder / "key.iso", "--ssh-key", key)
    target = new_target(stage, Firmware.BIOS)
    host = stage.start(Machine(disks=(target.disk,), cd=medium, cpus=1), "install")
    host.wait_for(r"ssh root@10\.0\.2\.15 gets into the installer", INSTALL_SECONDS, never=BOOT_PROBLEMS)
    with stage.step("log in"):
        host.wait_ssh(300)
        facts = json.loads(host.ssh("zeroth probe --json"))
        expect(any(disk["serial"] == target.disk.serial for disk in facts["disks"]), f"zeroth probe says {facts}")
        expect("yes" not in host.ssh("sshd -T | grep -i ^passwordauthentication"), "a password would do too")
    with stage.step("its screens"):
        shown = host.ssh_full(
            "script -qec 'stty cols 80 rows 25; TERM=xterm timeout 60 zeroth installer screen' /dev/null",
            ok=(0, 124),
            seconds=180,
        ).stdout
        glass = Glass(lambda _: None)
        glass.feed(shown.encode())
        atomic_write(RESULTS / "installer-ssh.svg", glass.picture("zeroth: by ssh"))
        expect("zeroth" in glass.text(), f"no screen was shown:\n{glass.text()}")
        stage.log(next((line.strip() for line in glass.text().splitlines() if line.strip()), ""))


def _hooks() -> list[dict[str, object]]:
    words = "\n".join(word[::-1] for word in SECRETS)
    return [
        {"stage": "pre", "script": _WATCH.format(words=words)},
        {"stage": "pre-install", "script": 'echo "pre-install on $ZEROTH_DISK"; exit 3', "ok": [3]},
        {"stage": "post", "script": 'echo "post of $ZEROTH_HOSTNAME" > /etc/lab-post; exit 9'},
        {"stage": "post", "nochroot": True, "must_succeed": True, "script": _SEEN},
        # A hook may be careless: what it prints is scrubbed.
        {"stage": "post", "script": f"echo {SECRET} | rev | rev"},
    ]


def _notify() -> dict[str, object]:
    hook = {"url": f"https://{SERVER}/told", "secret": SECRET, "token": TOKEN}
    return {"webhooks": [hook], "syslog": [{"server": SERVER, "protocol": "tls"}]}


def _more_secrets() -> dict[str, object]:
    """Settings with secrets that the installer only passes on; they name servers that are not there."""
    nowhere = "192.0.2.7"
    chap = {"username": "lab", "password": CHAP}
    return {
        "pool": {"action": "join", "address": [nowhere], "token": JOIN, "certificate": "00" * 32, "timeout": 0},
        "power": {"bmc": {"address": nowhere, "username": "lab", "password": BMC}},
        "storage": [{"type": "iscsi", "name": "lab", "portals": [nowhere], "target": "iqn.2001-04.test:lab", **chap}],
    }


def _check_webhook(told: Receiver) -> None:
    events = told.events
    expect((events[0], events[-1]) == ("STARTED", "SUCCEEDED"), f"the webhook was told {events[:2]}…{events[-2:]}")
    numbers = [post.data["number"] for post in told.taken]
    expect(numbers == sorted(set(numbers)), f"not in their order, or twice: {numbers}")
    expect(len(told.tried) == len(told.taken) + 1, "what was refused once should have come again, and nothing else")
    for post in told.taken:
        sign = "sha256=" + hmac.new(SECRET.encode(), post.body, hashlib.sha256).hexdigest()
        expect(post.headers.get("Zeroth-Signature") == sign, "a message is not signed as it should be")
        expect(post.headers.get("Authorization") == f"Bearer {TOKEN}", "a message came without the token")
    percents = [post.data["step"].get("percent") for post in told.taken if post.data["event"] == "STEP"]
    expect(any(percent and 0 < percent < 100 for percent in percents), f"no step told how far it is: {percents}")
    last = told.taken[-1].data
    expect(last["facts"]["disks"], "the last message has no hardware facts")
    expect("ssh-ed25519" in {key["kind"] for key in last["ssh_host_keys"]}, f"host keys: {last['ssh_host_keys']}")
    expect(any("9" in text for text in last["reservations"]), f"the failed hook is no reservation: {last}")


def _check_syslog(log: SyslogServer) -> None:
    messages = [message.decode() for message in log.messages]
    expect(messages, f"syslog was told nothing, over {log.connections} connections")
    expect(all(f" {HOSTNAME} zeroth-installer " in message for message in messages[1:]), f"syslog: {messages[:3]}")
    expect(any("the watch began" in message for message in messages), "syslog misses what a hook printed")
    expect(any(message.startswith("<29>1 ") for message in messages), "no message is a notice")


def _check_hooks(console: str) -> None:
    order = [console.find(words) for words in ("the watch began", "pre-install on /dev/", "times, saw 0 secrets")]
    expect(-1 not in order and order == sorted(order), f"the hooks did not run as they should: {order}")
    expect(SECRET not in console and "***" in console, "what a hook printed was not scrubbed")


def _check_host(host: Host) -> None:
    """No file of the host holds one of the secrets once first boot is over."""
    host.ssh_full("cat > /run/lab-words", send="\n".join(SECRETS) + "\n")
    places = "/etc /var /run/zeroth /root /home /tmp"
    found = host.ssh(f"grep -arlFf /run/lab-words {places} 2>/dev/null", seconds=600, ok=(0, 1, 2)).split()
    expect(not found, f"secrets stand in clear in {found}")
    told = host.ssh("journalctl --no-pager -a | grep -aFcf /run/lab-words", ok=(0, 1)).strip()
    expect(told == "0", "the journal tells a secret")
    host.ssh("rm /run/lab-words")


def _members(bundle: str) -> dict[str, bytes]:
    with tarfile.open(fileobj=BytesIO(base64.b64decode(bundle)), mode="r:gz") as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: file.read() for name, file in files.items() if file}
