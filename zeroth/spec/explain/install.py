"""In words: how the installation goes, who is told, and how it ends."""

from __future__ import annotations

from zeroth.spec.explain.words import Rows, counted, listed, sentences
from zeroth.spec.model import EndAction, Hook, HostSpec, NotifySpec, OnFailure, Stage, SyslogProtocol, Webhook

__all__ = ["install_rows"]

_END = {
    EndAction.REBOOT: "the machine reboots into the installed host",
    EndAction.POWEROFF: "the machine is powered off",
    EndAction.HALT: "the machine waits for somebody to press Enter, then reboots",
}
_FAILURE = {
    OnFailure.SHELL: "the consoles show why and give a root shell",
    OnFailure.POWEROFF: "the machine is powered off; the log is kept",
}
_STAGES = {
    Stage.PRE: "as soon as the answer is read",
    Stage.PRE_INSTALL: "when the plan stands, before the first write",
    Stage.POST: "when everything is written",
    Stage.ONERROR: "when the installation failed",
}


def install_rows(spec: HostSpec) -> Rows:
    """Hooks, notices, and the end."""
    again = "the answer is applied even where it was applied before" if spec.reinstall else (
        "a machine to which this answer was applied before is left alone"
    )  # fmt: skip
    return [
        *((f"Hook {number}", _hook(hook)) for number, hook in enumerate(spec.hooks, 1)),
        *([("Told", _told(spec.notify))] if spec.notify != NotifySpec() else []),
        ("Installed", _END[spec.end_action]),
        ("Failed", _FAILURE[spec.on_failure]),
        ("Again", again),
    ]


def _hook(hook: Hook) -> str:
    if hook.script:
        # Not its words: it may hold a secret.
        what = f"a script of {counted(len(hook.script.splitlines()), 'line')} (SHA-256 {hook.digest[:16]}...)"
    else:
        what = f"{hook.url}, whose SHA-256 is {hook.sha256}"
    inside = ""
    if hook.stage is Stage.POST:
        inside = "in the installer" if hook.nochroot else "in the installed system"
    fatal = "its failure fails the installation" if hook.fatal else "its failure is only reported"
    good = f"success is exit code {listed(hook.ok, 'or')}"
    return sentences(
        " ".join(filter(None, [_STAGES[hook.stage], inside])), f"{what}, run by {hook.interpreter}",
        f"at most {hook.timeout} s", good, fatal,
    )  # fmt: skip


def _told(notify: NotifySpec) -> str:
    return sentences(
        *map(_webhook, notify.webhooks),
        *(f"syslog {it.server}" + (f" port {it.port}" if it.port else "") + f" by {_syslog(it.protocol)}"
          for it in notify.syslog),
    )  # fmt: skip


def _webhook(webhook: Webhook) -> str:
    when = "each step, beginning and end" if webhook.progress else "beginning and end"
    how = [
        "signed" if webhook.secret else "",
        "with a token" if webhook.token else "",
        f"known by its certificate {webhook.certificate}" if webhook.certificate else "",
    ]
    return ", ".join(filter(None, [f"{webhook.url} of {when}", *how]))


def _syslog(protocol: SyslogProtocol) -> str:
    return str(protocol).upper()
