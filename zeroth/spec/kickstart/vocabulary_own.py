"""The words that stock kickstart does not have, and the hooks."""

from __future__ import annotations

from zeroth.spec.kickstart.entries import Command, Kind, Option

__all__ = ["HOOKS", "OWN"]

OWN: tuple[Command, ...] = (
    Command(
        ("mirror",),
        "Install on two disks, either of which boots alone. Once.",
        "ignoredisk --only-use=sda\nmirror --with=sdb",
        ("disk",),
        more=("mirror --with=missing",),
        options=(Option("--with", "The second disk, or `missing` when it comes later. Without it the disk's selector "
                        "must match two.", "DISK", "mirror_with", Kind.DISK),),
        base="disk",
        own=True,
    ),
    Command(
        ("localsr",),
        "The storage repository on the rest of the installed disk. Once.",
        "localsr --type=lvm --disks=sdb,sdc",
        ("disk",),
        (
            Option("--type", "`lvm` (unless told), `ext4` or `none`.", "TYPE", "local_sr"),
            Option("--keep", "That of an earlier installation stays as it is.", "", "keep_sr", Kind.ON),
            Option("--disks", "Further disks for it, whole.", "DISK,...", "sr_disks", Kind.DISKS),
        ),
        base="disk",
        own=True,
    ),
    Command(
        ("sr",),
        "A further storage repository, one a line.",
        "sr --type=nfs --name=isos --server=nas.example.com --path=/export/isos --content=iso",
        ("storage",),
        more=(
            "sr --type=local --name=Fast --disks=nvme1n1,nvme2n1 --format=lvm --wipe",
            "sr --type=iscsi --name=SAN --portals=192.0.2.200,198.51.100.200 --target=iqn.2001-04.com.example:disks "
            "--lun=2 --username=host --password=SECRET --default",
            "sr --type=ocfs2 --name=Cluster --disk=wwn=0x6000* --cluster=pool1 "
            "--nodes=xen1=192.0.2.10,xen2=192.0.2.11 --create",
            "sr --type=drbd --name=Pair --disk=serial=D1 --peer=xen2 --peer-address=192.0.2.11 --secret=SECRET "
            "--create",
        ),
        options=(
            Option("--type", "`local`, `nfs`, `iscsi`, `ocfs2` or `drbd`. Required.", "TYPE", "type"),
            Option("--name", "What it is called. Required.", "NAME", "name"),
            Option("--default", "New disks go here.", "", "default", Kind.ON),
            Option("--disks", "local: the disks.", "DISK,...", "disks", Kind.DISKS),
            Option("--format", "local: `lvm` (unless told) or `ext4`.", "FORMAT", "format"),
            Option("--server", "nfs: the server.", "SERVER", "server"),
            Option("--path", "nfs: what it exports.", "PATH", "path"),
            Option("--version", "nfs: `3`, `4`, `4.1` (unless told) or `4.2`.", "VERSION", "version"),
            Option("--content", "nfs: `disks` (unless told) or `iso`.", "CONTENT", "content"),
            Option("--options", "nfs: further mount options.", "OPTIONS", "options"),
            Option("--portals", "iscsi: the target's addresses.", "SERVER,...", "portals", Kind.LIST),
            Option("--target", "iscsi: its name (IQN).", "NAME", "target"),
            Option("--lun", "iscsi: 0 unless told.", "NUMBER", "lun", Kind.NUMBER),
            Option("--username", "iscsi: for CHAP.", "NAME", "username"),
            Option("--password", "iscsi: for CHAP.", "PASSWORD", "password"),
            Option("--disk", "ocfs2, drbd: the disk.", "DISK", "disk", Kind.DISK),
            Option("--cluster", "ocfs2: the cluster's name.", "NAME", "cluster"),
            Option("--nodes", "ocfs2: its hosts, this one among them.", "HOST=ADDRESS,...", "nodes", Kind.PAIRS),
            Option("--heartbeat", "ocfs2: `global` (unless told) or `local`.", "HOW", "heartbeat"),
            Option("--slots", "ocfs2: the most hosts, 16 unless told.", "NUMBER", "slots", Kind.NUMBER),
            Option("--threshold", "ocfs2: missed beats after which a host resets itself, 31 unless told.", "NUMBER",
                   "threshold", Kind.NUMBER),
            Option("--peer", "drbd: the other host's name.", "HOST", "peer.name"),
            Option("--peer-address", "drbd: its address.", "SERVER", "peer.address"),
            Option("--address", "drbd: this host's, for the replication.", "SERVER", "address"),
            Option("--secret", "drbd: the same on both hosts.", "SECRET", "secret"),
            Option("--protocol", "drbd: `A`, `B` or `C` (unless told).", "PROTOCOL", "protocol"),
            Option("--port", "iscsi, drbd: 3260 and 7788 unless told.", "NUMBER", "port", Kind.NUMBER),
            Option("--create", "Make a new one, if there is none.", "", "create", Kind.ON),
            Option("--wipe", "The consent to erase what else is there.", "", "wipe", Kind.ON),
        ),
        base="storage[]",
        own=True,
        repeats=True,
    ),
    Command(
        ("sriov",),
        "What becomes of a card's virtual functions, one card a line.",
        "sriov --nic=enp1s0f0 --functions=max",
        ("sriov",),
        (
            Option("--nic", "The card: a MAC address or a kernel name. Required.", "NIC", "nic"),
            Option("--functions", "How many, or `max`. Required.", "NUMBER", "functions", Kind.NUMBER),
            Option("--purpose", "`guests` (unless told) or `host`.", "PURPOSE", "purpose"),
        ),
        base="sriov[]",
        own=True,
        repeats=True,
    ),
    Command(
        ("vf",),
        "Settings of some or all virtual functions of a card whose `sriov` line comes before.",
        "sriov --nic=enp1s0f0 --functions=4\nvf --nic=enp1s0f0 --range=0-3 --vlan=100 --spoof-check=yes",
        ("sriov",),
        (
            Option("--nic", "The card, written as in its `sriov` line. Required.", "NIC"),
            Option("--range", "Which functions, from 0: `3`, or `0-3`; all unless told.", "FIRST-LAST"),
            Option("--vlan", "0 takes the tag away.", "TAG", "vlan", Kind.NUMBER),
            Option("--vlan-protocol", "`802.1Q` (unless told) or `802.1ad`.", "PROTOCOL", "vlan_protocol"),
            Option("--qos", "Priority in the tag, 0 to 7.", "NUMBER", "qos", Kind.NUMBER),
            Option("--spoof-check", "Whether the card checks the sender's address.", "yes|no", "spoof_check",
                   Kind.YES_NO),
            Option("--trust", "Whether the function may ask for promiscuity.", "yes|no", "trust", Kind.YES_NO),
            Option("--link-state", "`auto`, `enable` or `disable`.", "STATE", "link_state"),
            Option("--min-rate", "Mbit/s.", "NUMBER", "min_rate", Kind.NUMBER),
            Option("--max-rate", "Mbit/s.", "NUMBER", "max_rate", Kind.NUMBER),
        ),
        own=True,
        repeats=True,
    ),
    Command(
        ("proxy",),
        "An HTTP proxy for what the host fetches. Once.",
        "proxy --url=http://proxy.example.com:3128 --except=.example.com,192.0.2.0/24",
        ("proxy",),
        (
            Option("--url", "The proxy, without user and password. Required.", "URL", "url"),
            Option("--username", "For the proxy.", "NAME", "username"),
            Option("--password", "For the proxy.", "PASSWORD", "password"),
            Option("--except", "What is reached without it.", "NAME,...", "exceptions", Kind.LIST),
        ),
        base="proxy",
        own=True,
    ),
    Command(
        ("power",),
        "The machine's BMC, waking it, watching over it, saving. Once.",
        "power --wake-on-lan --watchdog=60 --governor=ondemand",
        ("power",),
        more=("power --bmc=bmc1.example.com --bmc-protocol=redfish --bmc-username=admin --bmc-password=SECRET",),
        options=(
            Option("--bmc", "Address of the BMC.", "SERVER", "bmc.address"),
            Option("--bmc-protocol", "`redfish` (unless told) or `ipmi`.", "PROTOCOL", "bmc.protocol"),
            Option("--bmc-port", "When it is not the protocol's own.", "NUMBER", "bmc.port", Kind.NUMBER),
            Option("--bmc-username", "For the BMC.", "NAME", "bmc.username"),
            Option("--bmc-password", "For the BMC.", "PASSWORD", "bmc.password"),
            Option("--bmc-certificate", "SHA-256 of its certificate.", "FINGERPRINT", "bmc.certificate"),
            Option("--wake-on-lan", "The management NIC wakes the machine.", "", "wake_on_lan", Kind.ON),
            Option("--watchdog", "Seconds without a sign of life after which Xen resets the machine.", "SECONDS",
                   "watchdog", Kind.NUMBER),
            Option("--governor", "`ondemand`, `performance` or `powersave`.", "GOVERNOR", "governor"),
            Option("--max-cstate", "The deepest sleep state of idle processors.", "NUMBER", "max_cstate", Kind.NUMBER),
        ),
        base="power",
        own=True,
    ),
    Command(
        ("pool",),
        "The resource pool: make one, or join one. Once.",
        "pool --create=lab",
        ("pool",),
        more=("pool --join=pool.example.com,192.0.2.2 --token=TOKEN --certificate=0011...",),
        options=(
            Option("--create", "Make a pool of that name.", "NAME", "name"),
            Option("--description", "With `--create`.", '"TEXT"', "description"),
            Option("--join", "Join the pool of these members, tried in order.", "SERVER,...", "address", Kind.LIST),
            Option("--port", "With `--join`: 443 unless told.", "NUMBER", "port", Kind.NUMBER),
            Option("--token", "With `--join`: the pool gives it out.", "TOKEN", "token"),
            Option("--certificate", "With `--join`: SHA-256 of the pool's certificate.", "FINGERPRINT", "certificate"),
            Option("--timeout", "With `--join`: seconds, 600 unless told.", "SECONDS", "timeout", Kind.NUMBER),
        ),
        base="pool",
        own=True,
    ),
    Command(
        ("webhook",),
        "An address that is told by HTTP POST how the installation goes, one a line.",
        "webhook --url=https://tracker.example.com/installs",
        ("notify",),
        (
            Option("--url", "The address. Required.", "URL", "url"),
            Option("--secret", "Signs what is sent.", "SECRET", "secret"),
            Option("--token", "Sent as bearer token.", "TOKEN", "token"),
            Option("--certificate", "SHA-256 of the server's certificate.", "FINGERPRINT", "certificate"),
            Option("--no-progress", "Beginning and end only, not the steps.", "", "progress", Kind.OFF),
        ),
        base="notify.webhooks[]",
        own=True,
        repeats=True,
    ),
    Command(
        ("upgrade",),
        "Bring the host that is on the disk to this medium's version. Once.",
        "upgrade",
        ("mode", "allow_downgrade"),
        (Option("--allow-downgrade", "An older version too.", "", "allow_downgrade", Kind.ON),),
        own=True,
    ),
)  # fmt: skip

_HOOK_OPTIONS = (
    Option("--interpreter", "The program that runs it, `/bin/sh` unless told.", "PATH", "interpreter"),
    Option(
        "--erroronfail",
        "Its failure fails the installation. In `%pre` and `%pre-install` it always does.",
        "",
        "must_succeed",
        Kind.ON,
    ),
    Option("--timeout", "Seconds, 600 unless told. Ours.", "SECONDS", "timeout", Kind.NUMBER),
    Option("--ok", "Exit codes that mean success, 0 unless told. Ours.", "CODE,...", "ok", Kind.NUMBERS),
    Option("--url", "Fetch it from there; the section is then empty. Ours.", "URL", "url"),
    Option("--sha256", "What the fetched one must have. Ours.", "DIGEST", "sha256"),
)


def _hook(tag: str, text: str, example: str, *more: Option) -> Command:
    return Command((tag,), text, f"{tag}{example}\n%end", ("hooks",), (*_HOOK_OPTIONS, *more), repeats=True)


HOOKS: tuple[Command, ...] = (
    _hook("%pre", "A program that runs as soon as the answer is read, before any disk is looked at for writing.",
          " --interpreter=/usr/bin/python3\nprint('hello')"),
    _hook("%pre-install", "A program that runs when the plan stands, before the first write.",
          " --erroronfail --timeout=60\ntest -e /dev/disk/by-id/nvme-EXAMPLE_1234"),
    _hook("%post", "A program that runs when everything is written, in the installed system.",
          " --erroronfail --ok=0,3\nsystemctl enable example.service",
          Option("--nochroot", "It runs in the installer instead.", "", "nochroot", Kind.ON)),
    _hook("%onerror", "A program that runs when the installation failed.", "\nlogger -t install failed"),
)  # fmt: skip
