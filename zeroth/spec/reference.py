"""What is published about answers: the kickstart reference page and the JSON Schema, both made from the code."""

from __future__ import annotations

import json

from pydantic import BaseModel

from zeroth.spec.kickstart.entries import Command
from zeroth.spec.kickstart.vocabulary import COMMANDS, HOOKS, INSTEAD, SECTIONS
from zeroth.spec.model import HostSpec
from zeroth.spec.validate import models_in

__all__ = ["json_schema", "kickstart_reference"]

_INTRODUCTION = """\
# Kickstart reference

This page is made from the code by `zeroth answer reference`.

An answer file says what one host shall be. In kickstart it is one command a line, with options after it:

- Blank lines and lines that begin with `#` are passed over; a `#` after a space begins a comment.
- Options are written in full, as `--option=value` or `--option value`. A value with spaces or a `#` in it stands in
  quotes.
- A command does not go on in the next line.
- Each command and each option is given once, unless it says otherwise.
- Whatever is not on this page is refused, and everything that is wrong is reported at once: `zeroth answer lint FILE`.

The least that makes a host is a name and a way in:

```
network --hostname=xen1.example.com
sshkey --username=root "ssh-ed25519 AAAA... admin@example.com"
```

A plain password is hashed with yescrypt as soon as it is read, and neither stored nor shown.

"""


def json_schema(model: type[BaseModel] = HostSpec) -> str:
    """JSON Schema of HostSpec, or of another model, as a text."""
    _build(model)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def _build(model: type[BaseModel]) -> None:
    """Build the parts whose building was put off: their values stand in the schema as defaults."""
    model.model_rebuild()
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            _build(inner)


def kickstart_reference() -> str:
    """The reference page, in Markdown."""
    return _INTRODUCTION + "\n".join([_contents(), *map(_command, (*COMMANDS, *HOOKS)), _refused()])


def _contents() -> str:
    rows = [f"| {' '.join(f'`{name}`' for name in command.names)} | {', '.join(f'`{it}`' for it in command.fields)} |"
            f" {'ours' if command.own else 'stock'} |" for command in (*COMMANDS, *HOOKS)]  # fmt: skip
    return "\n".join(["| command | sets in HostSpec | |", "|---|---|---|", *rows, ""])


def _command(command: Command) -> str:
    lines = [f"## {', '.join(command.names)}", "", command.help, ""]
    if command.argument:
        lines += [f"Argument: `{command.argument}`", ""]
    if command.options:
        lines += ["| option | meaning |", "|---|---|"]
        for option in command.options:
            written = f"{option.name}={option.value}" if option.value else option.name
            # A bar would end the cell.
            escaped = written.replace("|", "\\|")
            lines.append(f"| `{escaped}` | {option.help} |")
        lines.append("")
    return "\n".join([*lines, *(line for text in command.examples for line in ("```", text, "```", ""))])


def _refused() -> str:
    hooks = [name for hook in HOOKS for name in hook.names]
    lines = [
        "## What stock kickstart has and zeroth refuses",
        "",
        f"The sections {', '.join(f'`{name}`' for name in SECTIONS if name not in hooks)} are not supported, nor are "
        "`%include` and "
        "`%ksappend`: an answer is one file. Commands that are not on this page are refused. For these there is "
        "something to do instead:",
        "",
        "| command | instead |",
        "|---|---|",
    ]
    for hint in dict.fromkeys(INSTEAD.values()):
        names = ", ".join(f"`{name}`" for name, text in INSTEAD.items() if text == hint)
        lines.append(f"| {names} | {hint} |")
    return "\n".join(lines) + "\n"
