"""Answers that are wrong, and answers from a server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.lab import disks
from tests.lab.answers import TARGET, answer
from tests.lab.install import FAILED, INSTALL_SECONDS, installer_machine, new_target, start_installer
from tests.lab.machine import Disk, Firmware
from tests.lab.medium import embedded
from tests.lab.needs import prepare
from tests.lab.paths import ROOT
from tests.lab.ports import free_ports
from tests.lab.process import Child
from tests.lab.scenario import scenario
from tests.lab.scenarios.refusals import rescue_shell
from tests.lab.stage import Stage, expect
from tests.unit.spec.webserver import Authority, web_server
from zeroth.keys.keyring import make_key, secret_key
from zeroth.keys.signing import Purpose, sign

TRIED = 30
"""How many of the collection are tried: each takes an emulated machine ten seconds. The unit tests try every one."""
BAD = ROOT / "tests" / "answers" / "bad"
_TRY = r"""
mkdir -p /tmp/bad; mount -o ro /dev/disk/by-id/virtio-answers /tmp/bad; cd /tmp/bad
for file in *; do
  zeroth installer run --no-end-action --answer "$file" >/tmp/said 2>&1 </dev/null; status=$?
  grep -q Traceback /tmp/said && echo "try: $file traceback"
  grep -q '^error:' /tmp/said || echo "try: $file silent"
  echo "try: $file exit $status"
done
echo "tried $(ls | wc -l) of them"
"""


@scenario(minutes=12)
def bad_answers(stage: Stage) -> None:
    """Thirty bad answers of the collection are refused with an error by the installer itself; no disk is changed."""
    every = sorted(path for path in BAD.iterdir() if path.suffix != ".expect")
    expect(len(every) >= TRIED, f"there should be {TRIED} bad answers at least, not {len(every)}")
    files = {path.name: path.read_bytes() for path in every[:: len(every) // TRIED][:TRIED]}
    target = new_target(stage, Firmware.BIOS)
    disks.fat_data(target.disk.path, "letters.txt", b"Dear all,\n")
    script = disks.fat_volume(stage.folder / "script.img", "SCRIPT", {"try.sh": _TRY})
    volume = disks.fat_volume(stage.folder / "bad.img", "BADANSWERS", files)
    machine = installer_machine(
        stage, target, extra=(Disk(volume, "answers", readonly=True), Disk(script, "script", readonly=True))
    )
    before = {disk.path: disks.digest(disk.path) for disk in machine.disks}
    with stage.step("start the rescue shell"):
        host = rescue_shell(stage, machine)
    with stage.step(f"try {len(files)} answers"):
        host.serial.send("mkdir -p /tmp/s; mount -o ro /dev/disk/by-id/virtio-script /tmp/s; sh /tmp/s/try.sh\n")
        host.wait_for(f"tried {len(files)} of them", 900)
    said = [line for line in host.serial.text().splitlines() if line.startswith("try: ")]
    wrong = [line for line in said if not line.endswith("exit 1")]
    expect(len(said) == len(files) and not wrong, "not refused as they should be:\n" + "\n".join(wrong or said))
    host.kill()
    for path, digest in before.items():
        expect(disks.digest(path) == digest, f"{path.name} was changed by a bad answer")


SERVER = "10.0.2.100"
TOKEN = "lab-token-4711"


@scenario(minutes=8)
def served_answer(stage: Stage) -> None:
    """The installer fetches a signed answer over HTTPS from a server that it knows by a pin, and tells who asks."""
    (text,) = answer().values()
    folder = stage.folder
    make_key(folder, "site", None)
    key = secret_key(folder / "site.key", lambda: b"")
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "token").chmod(0o600)
    # Its name and dates are wrong: the pin alone counts.
    credentials = Authority(folder).certificate("server", "192.0.2.1", timedelta(days=1), timedelta(days=2))
    with web_server(credentials) as server:
        server.files = {
            "/host1.json": text.encode(),
            "/host1.json.minisig": sign(text.encode(), [key], Purpose.ANSWER, "host1.json").encode(),
        }
        # QEMU's own TFTP server has no files here, and says so.
        urls = ("tftp://10.0.2.2/host1.json", f"https://{SERVER}/missing/host1.json", f"https://{SERVER}/host1.json")
        places = " ".join(f"zeroth.answer={url}" for url in urls)
        medium = embedded(
            folder / "site.iso", "--args", places, "--pin", str(credentials.pin), "--token", folder / "token",
            "--signer", folder / "site.pub", "--require-signed",
        )  # fmt: skip
        target = new_target(stage, Firmware.BIOS)
        # The volume's answer is not the one that is named.
        machine = installer_machine(stage, target, {"answer.json": "nonsense"}, medium=medium)
        machine = replace(machine, services=((f"{SERVER}:443", server.port),))
        with stage.step("fetch the answer"):
            host = start_installer(stage, machine)
            fetched = f"host1.json: https://{SERVER}/host1.json, signed by {key.public.name}"
            host.wait_for(fetched, INSTALL_SECONDS, never=FAILED)
            said = host.serial.text()
    for reason in ("cannot fetch tftp://10.0.2.2/host1.json: the server says: ", "the server answered 404"):
        expect(reason in said, f"the console does not say: {reason}")
    paths = [path for path, _ in server.asked]
    expect(paths == ["/missing/host1.json", "/host1.json", "/host1.json.minisig"], f"asked for {paths}")
    for _, headers in server.asked:
        expect(headers.get("Authorization") == f"Bearer {TOKEN}", "the server was not shown the token")
        expect(machine.mac in headers.get("Zeroth-MAC", ""), f"the MAC address is not in {headers}")
        expect(headers.get("Zeroth-UUID", "").lower() == machine.uuid, f"the UUID is not in {headers}")
        expect(f"serial={target.disk.serial}" in headers.get("Zeroth-Disks", ""), f"the disk is not in {headers}")
    expect(TOKEN not in said, "the console tells the token")
    host.kill()


_GANESHA = """
NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Bind_addr = 127.0.0.1;
  Enable_RQUOTA = false; Enable_NLM = false; }}
NFSv4 {{ Graceless = true; RecoveryRoot = "{folder}/recovery"; }}
EXPORT {{ Export_Id = 1; Path = "{folder}/answers"; Pseudo = "/srv/answers"; Access_Type = RO; SecType = sys;
  FSAL {{ Name = VFS; }} }}
"""


@scenario(minutes=4)
def nfs_answer(stage: Stage) -> None:
    """The installer mounts the folder of an NFS server for a moment, and takes its answer from there."""
    prepare({"ganesha.nfsd": "nfs-ganesha-vfs"})
    folder = stage.folder
    for name in ("answers", "recovery"):
        (folder / name).mkdir()
    (text,) = answer(disk={"select": f"serial={TARGET}"}).values()
    (folder / "answers" / "host1.json").write_text(text)
    (port,) = free_ports(1)
    (folder / "ganesha.conf").write_text(_GANESHA.format(port=port, folder=folder))
    files = ("-f", folder / "ganesha.conf", "-L", folder / "ganesha.log", "-p", folder / "ganesha.pid")
    server = Child(["ganesha.nfsd", "-F", *map(str, files)], folder / "server.log")
    try:
        medium = embedded(folder / "nfs.iso", "--args", f"zeroth.answer=nfs://{SERVER}/srv/answers/host1.json")
        target = new_target(stage, Firmware.BIOS)
        machine = installer_machine(stage, target, {"answer.json": "nonsense"}, medium=medium)
        host = start_installer(stage, replace(machine, services=((f"{SERVER}:2049", port),)))
        host.wait_for(f"host1.json: nfs://{SERVER}/srv/answers/host1.json", INSTALL_SECONDS, never=FAILED)
        host.wait_for("Write the partition table", 300, never=FAILED)
        host.kill()
    finally:
        server.end()
