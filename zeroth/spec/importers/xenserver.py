"""Answer files of the XenServer and XCP-ng installers.

The vocabulary is that of their ``answerfile.py``, which differs from what is documented in places; docs/reference has
it as a table. Traps in which that installer does something else than the file seems to say are handled as the author
of the file will have meant it, and reported.
"""

from __future__ import annotations

from zeroth.spec.document import Document
from zeroth.spec.importers.draft import Draft
from zeroth.spec.importers.keymaps import layout_of
from zeroth.spec.importers.xenserver_disks import import_disks
from zeroth.spec.importers.xenserver_network import import_network
from zeroth.spec.importers.xml_tree import Element, XmlWrong, read_tree
from zeroth.spec.importers.xml_words import XmlAnswer
from zeroth.spec.problems import Problem

__all__ = ["read_xenserver"]

_NEW = 'To install anew and lose what is there, write <installation mode="fresh">.'
_STAGES = {
    "installation-start": "pre",
    "packages-installed": "post",
    "filesystem-populated": "post",
    "installation-complete": "post",
}


def read_xenserver(text: str) -> Document:
    """Read an XML answer; what is wrong with it, and what it says that has no counterpart, is in the problems."""
    if not text.strip():
        return Document(None, problems=[Problem("the file says nothing", "Begin with <installation>.")])
    draft = Draft()
    try:
        root = read_tree(text)
    except XmlWrong as error:
        return Document(None, problems=[error.problem])
    answer = XmlAnswer(root, draft)
    mode = _mode(answer)
    if mode is None:
        return Document(None, {(): root.where}, problems=draft.document().problems)
    _root_attributes(answer)
    import_disks(answer, mode)
    import_network(answer)
    _identity(answer)
    _password(answer)
    _time(answer)
    _services(answer)
    _scripts(answer)
    _installer(answer)
    answer.leftovers()
    return draft.document(root.where)


def _mode(answer: XmlAnswer) -> str | None:
    """``fresh`` or ``reinstall``; None when the answer asks for something that is not an installation."""
    root, draft = answer.root, answer.draft
    if root.name == "restore":
        hint = "Its own installer restores a XenServer; zeroth can only take its place."
        draft.wrong("<restore> brings back a backup that XenServer made", hint, root.where)
        return None
    if root.name not in ("installation", "upgrade"):
        hint = "The outermost element of XenServer's answers is <installation>."
        draft.wrong(f"<{root.name}> does not begin an answer file", hint, root.where)
        return None
    mode = answer.attribute(root, "mode")
    if root.name == "upgrade" and (mode is None or mode.value != "upgrade"):
        message = '<upgrade> without mode="upgrade": XenServer\'s installer would erase the disk and install anew'
        draft.wrong(message, f"An upgrade of a XenServer is not possible. {_NEW}", root.where)
        return None
    value = mode.value if mode else "fresh"
    if value == "upgrade":
        where = mode.where if mode else root.where
        draft.wrong("this asks to upgrade a XenServer, which zeroth cannot take over", _NEW, where)
        return None
    if value not in ("fresh", "reinstall"):
        where = mode.where if mode else root.where
        draft.wrong(f"mode={value!r} is unknown", "One of fresh, reinstall, upgrade.", where)
        return None
    return value


def _root_attributes(answer: XmlAnswer) -> None:
    for element in (answer.root, *answer.every("source")):
        for name in ("repo-gpgcheck", "gpgcheck", "netinstall-gpg-check"):
            on, where = answer.flag(element, name, default=True)
            if where and not on:
                why = "The image on the medium is always checked before it is written."
                answer.draft.left_out(f"{name}: turning checks off has no counterpart", why, where)


def _identity(answer: XmlAnswer) -> None:
    draft = answer.draft
    element = answer.first("hostname")
    name = answer.text(element) if element else ""
    if element and name:
        if name != name.lower():
            draft.warn(f"the host name {name} is written in lower case", "", element.inside)
        draft.put(("hostname",), name.lower(), element.inside)
    else:
        message = "there is no <hostname>: XenServer calls such a host localhost.localdomain"
        draft.wrong(message, "Give the host a name of its own.", (element or answer.root).where, "hostname")
    element = answer.first("timezone")
    if element and answer.text(element):
        draft.put(("timezone",), element.text, element.inside)
    element = answer.first("keymap")
    if element and answer.text(element):
        layout, lost = layout_of(element.text)
        draft.put(("keyboard",), layout, element.inside)
        if lost:
            draft.left_out(
                f"the variant of the keymap {element.text}", f"The layout {layout} is taken.", element.inside
            )


def _password(answer: XmlAnswer) -> None:
    draft = answer.draft
    element = answer.first("root-password")
    if element is None:
        message = (
            "there is no <root-password>: XenServer asks for one at first boot, which an unattended host cannot do"
        )
        draft.wrong(message, 'Add <root-password type="hash">; `mkpasswd` prints a hash.', answer.root.where, "root")
        return
    kind = answer.attribute(element, "type")
    text = answer.text(element)
    if kind is not None and kind.value not in ("plaintext", "hash"):
        hint = 'Write type="hash" or type="plaintext".'
        draft.wrong(f"type={kind.value!r} of <root-password> is unknown", hint, kind.where, "root")
        return
    if not text or (kind and kind.value == "hash" and text.startswith(("!", "*"))):
        message = "<root-password> locks the account, and the file can name no other way in"
        draft.wrong(message, 'Write type="hash" and a hash; `mkpasswd` prints one.', element.inside, "root")
        return
    field = "password_hash" if kind and kind.value == "hash" else "password"
    draft.put(("root", field), text, element.inside)


def _time(answer: XmlAnswer) -> None:
    draft = answer.draft
    servers = [element for element in answer.every("ntp-server", "ntp-servers") if answer.text(element)]
    sources = answer.every("ntp")
    for other in sources[1:]:
        draft.wrong("<ntp> is given twice", f"The first is in line {sources[0].where.line}.", other.where)
    source = "manual" if servers else ""
    if sources:
        found = answer.required(sources[0], "source", ("dhcp", "default", "manual", "none"))
        source = found.value if found else source
        if servers and source not in ("manual", ""):
            hint = 'Write <ntp source="manual"/>, or leave out the servers.'
            draft.wrong(f"time servers are named, but the source is {source}", hint, servers[0].where)
            return
        place = found.where if found else sources[0].where
        if source == "none":
            draft.put(("ntp", "enabled"), False, place)
        elif source:
            draft.put(("ntp", "from_dhcp"), source == "dhcp", place)
    elif servers:
        draft.put(("ntp", "from_dhcp"), False, servers[0].where)
    for element in servers:
        draft.append(("ntp", "servers"), element.text, element.inside)


def _services(answer: XmlAnswer) -> None:
    draft = answer.draft
    element = answer.first("ssh-mode")
    if element:
        mode = answer.text(element)
        if mode in ("on", "off"):
            draft.append(("services", "enable" if mode == "on" else "disable"), "ssh", element.inside)
        else:
            draft.left_out(f"ssh-mode {mode}", "ssh is on; `off` turns it off.", element.inside)
    named: dict[str, Element] = {}
    for service in answer.every("service"):
        name = answer.attribute(service, "name")
        state = answer.required(service, "state", ("enabled", "disabled"))
        if name is None or not name.value:
            draft.wrong("<service> has no name", 'As in <service name="sshd" state="disabled"/>', service.where)
        elif name.value in named:
            line = named[name.value].where.line
            draft.wrong(f"the service {name.value} is given twice", f"The first is in line {line}.", name.where)
        elif state is not None:
            named[name.value] = service
            # Debian's name of it.
            unit = "ssh" if name.value == "sshd" else name.value
            draft.append(("services", state.value.removesuffix("d")), unit, name.where)


def _scripts(answer: XmlAnswer) -> None:
    """Scripts are fetched without being known; a hook of ours has the hash of what is fetched, or the text itself."""
    for element in answer.every("script"):
        stage = answer.required(element, "stage", tuple(_STAGES))
        kind = answer.required(element, "type", ("url", "nfs"))
        if stage and kind:
            hook = _STAGES[stage.value]
            when = " (when it went well: of `onerror` when not)" if stage.value == "installation-complete" else ""
            why = (
                f"Write it as a hook of the stage {hook}{when}, with its text or with its address and sha256. "
                "Other than there, its exit code counts, and it gets no arguments."
            )
            answer.drop(element, why, "is fetched by an address alone, which has no counterpart")
    for name, stage_of_ours in (("post-install-script", "post"), ("install-failed-script", "onerror")):
        for element in answer.every(name):
            why = f"Write it as a hook of the stage {stage_of_ours}, with its text or with its address and sha256."
            answer.drop(element, why)


def _installer(answer: XmlAnswer) -> None:
    for element in answer.every("driver-source"):
        answer.required(element, "type", ("local", "url", "nfs"))
        answer.drop(element, "Drivers come with Debian's kernel and firmware, in the image.")
    for element in answer.every("selected-multiversion-drivers"):
        answer.drop(element, "The image has one version of each driver.")
    for element in answer.every("fcoe-interface"):
        answer.drop(element, "FCoE is not supported.")
    for element in answer.every("existing-installation", "backup-disk"):
        answer.drop(element, "It belongs to an upgrade or a restore.")
    prompt = answer.first("ui-confirmation-prompt")
    if prompt:
        _prompt(answer, prompt)
    local = [element for element in answer.every("source") if _source(answer, element)]
    for element in local[1:]:
        answer.drop(element, "Supplemental packs have no counterpart.")
    _boot_loader(answer)


def _boot_loader(answer: XmlAnswer) -> None:
    draft = answer.draft
    element = answer.first("bootloader")
    if element:
        if answer.text(element) not in ("", "grub2"):
            draft.wrong(f"the boot loader {element.text} is unknown", "It is grub2.", element.inside)
        location = answer.attribute(element, "location")
        if location and location.value == "partition":
            why = "The boot loader is written where the firmware looks for it."
            draft.left_out("a boot loader in a partition", why, location.where)
        elif location and location.value != "mbr":
            draft.wrong(f"location={location.value!r} is unknown", "It is mbr or partition.", location.where)
        entry, where = answer.flag(element, "write-boot-entry", default=True)
        if where and not entry:
            draft.left_out("write-boot-entry: leaving the firmware's boot entries alone",
                           "Under UEFI an entry is added.", where)  # fmt: skip


def _source(answer: XmlAnswer, element: Element) -> bool:
    """Whether it is the medium itself, as which zeroth's own serves."""
    kind = answer.required(element, "type", ("local", "url", "nfs"))
    if kind is None:
        return False
    if kind.value != "local":
        answer.drop(element, "What is installed comes from zeroth's own medium.")
        return False
    answer.text(element)
    return True


def _prompt(answer: XmlAnswer, element: Element) -> None:
    text = answer.text(element).lower()
    if text in ("true", "yes"):
        why = "Nothing is asked. To see the plan without anything being written, use `zeroth plan`."
        answer.draft.left_out("<ui-confirmation-prompt> has no counterpart", why, element.inside)
    elif text:
        message = "XenServer's installer would ask here: it takes any text in <ui-confirmation-prompt> for yes"
        answer.draft.warn(message, "It is taken as it is written: nothing is asked.", element.inside)
