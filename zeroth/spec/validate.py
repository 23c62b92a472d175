"""A document against the model: every error in plain words, at the place where the value was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from zeroth.spec.document import Document, Path
from zeroth.spec.model import CONFLICTS, SECRET_NAMES, HostSpec
from zeroth.spec.model.host import LEFT_OUT, NAMED, called_twice
from zeroth.spec.model.login import RootLogin
from zeroth.spec.problems import FILE, MOST, Problem, closest

__all__ = ["Rules", "checked_by", "models_in", "validated"]

# Values of these are never repeated in a message, nor are those of SECRET_NAMES anywhere.
_PRIVATE = ("root", "users", "hooks", "proxy")

_QUOTES = "'"
_HINTS = {
    "hostname": "Lower-case letters, digits and hyphens, with dots between the parts: xen1.example.com",
    "timezone": "As in Europe/Berlin or Etc/UTC.",
    "keyboard": "As in us or de.",
    "root": "Give a root password (better: its hash) or an ssh key.",
    "root.password": "Give the hash instead (password_hash), or check what stands here.",
    "root.password_hash": "`mkpasswd` and `openssl passwd -6` print one; put single quotes around it.",
    "root.ssh_keys": "One key is the one line of a .pub file, as in: ssh-ed25519 AAAA... admin@example.com",
    "management.address": "Write method: dhcp, or method: static with address: 192.0.2.10/24.",
    "management.address.address": "As in 192.0.2.10/24.",
    "management.address.gateway": "The gateway is another host in the same network.",
    "management.nic": "Write the MAC address, as in 52:54:00:12:34:56, or leave it out: the only NIC with a link.",
    "management.vlan": "A VLAN tag is 1 to 4094; leave it out when the switch port is untagged.",
    "management.dns": "A list, as in [192.0.2.53].",
    "management.bridge": "At most 15 lower-case letters, digits and hyphens.",
    "management.bond": "As in: mode: lacp, with nics: a list of two or more.",
    "disk.layout": "single or mirror.",
    "pool": "Write action: create with a name, or action: join with address, token and certificate.",
    "pool.certificate": "The pool shows it: `zeroth host certificate`, or openssl x509 -fingerprint -sha256.",
    "storage": "Write name and type: local, nfs, iscsi, ocfs2 or drbd.",
    "storage.path": "The whole path on the server, as in /export/vms.",
    "networks.purposes": "One or more of storage, migration and guests (kickstart: --purpose=).",
    "dom0.memory": "Write the number with its unit, as in 1536M or 2G.",
}

_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Rules(Generic[_ModelT]):
    """How documents of one kind are checked, and what is said about them.

    :param model: what they are read into.
    :param nothing: said of a document that is no group of settings.
    :param hints: what to do about a field, by its path without list positions.
    :param things: what a field's value is called, where a pattern decides.
    :param private: top-level fields whose values are never repeated in a message.
    """

    model: type[_ModelT]
    nothing: str
    hints: Mapping[str, str] = field(default_factory=dict)
    things: Mapping[str, str] = field(default_factory=dict)
    private: tuple[str, ...] = ()


_ANSWER = Rules(
    HostSpec,
    "an answer is a group of settings, such as hostname: xen1",
    _HINTS,
    {"hostname": "host name", "timezone": "time zone", "keyboard": "keyboard layout",
     "management.bridge": "name for a bridge"},
    _PRIVATE,
)  # fmt: skip

_NAMES = {"ip_v4_address": "an IPv4 address", "ip_v6_address": "an IPv6 address",
          "ip_v6_interface": "an IPv6 address with a prefix length",
          "ip_v4_interface": "an IPv4 address with a prefix length",
          "int_type": "a whole number", "int_from_float": "a whole number", "int_parsing": "a whole number",
          "bool_type": "true or false", "bool_parsing": "true or false",
          "string_type": "text", "model_type": "a group of settings", "model_attributes_type": "a group of settings",
          "dict_type": "a group of settings", "tuple_type": "a list", "list_type": "a list",
          "missing_sentinel_error": "set"}  # fmt: skip


def validated(document: Document) -> tuple[HostSpec | None, list[Problem]]:
    """The HostSpec, or None; and what is wrong, the reader's own problems included."""
    spec, problems = checked_by(_ANSWER, document)
    if spec is None and isinstance(document.data, dict):
        for it in (*_doubles(document.data, document), *_conflicts(document.data, document, problems)):
            if (it.message, it.where) not in [(told.message, told.where) for told in problems]:
                problems.append(it)
    return spec, problems


def _conflicts(data: Mapping[str, Any], document: Document, problems: list[Problem]) -> list[Problem]:
    """Which of the parts that are right do not go together: the model looks only where all of them are."""
    wrong = {problem.field.partition(".")[0] for problem in problems} | document.unsure
    known = HostSpec.model_fields
    # Of a misspelt name, also what was meant: it is not what it is without it.
    wrong |= {closest(name, known) for name in wrong - known.keys()}
    right = {name: value for name, value in data.items() if name not in wrong}
    stand_ins = {"hostname": "host", "root": RootLogin.model_construct()}
    try:
        HostSpec.model_validate({**stand_ins, **right}, context={LEFT_OUT: wrong})
    except ValidationError as errors:
        found = [it for it in errors.errors(include_url=False) if it["type"] == CONFLICTS]
        return list(_explained(found, document, _ANSWER))
    return []


def _doubles(data: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    """Names given twice, which the model looks for only where every single setting is right."""
    for name, (key, message) in NAMED.items():
        items = data.get(name)
        given = [it.get(key) if isinstance(it, dict) else None for it in items] if isinstance(items, list) else []
        names = [it if isinstance(it, str) and it else f"\0{index}" for index, it in enumerate(given)]
        for path, said in called_twice(name, names, message):
            yield Problem(said, _HINTS.get(name, ""), document.place(path), field=name)


def checked_by(rules: Rules[_ModelT], document: Document) -> tuple[_ModelT | None, list[Problem]]:
    """The document as a value of the rules' model, or None; and what is wrong, the reader's own problems included."""
    problems = list(document.problems)
    if not isinstance(document.data, dict):
        if not problems:
            problems.append(Problem(rules.nothing, "", document.place(())))
        return None, problems
    try:
        value = rules.model.model_validate(document.data)
    except ValidationError as errors:
        problems.extend(_explained(errors.errors(include_url=False)[: MOST + 1], document, rules))
        return None, problems
    return value, problems


def _explained(errors: list[ErrorDetails], document: Document, rules: Rules[_ModelT]) -> Iterator[Problem]:
    # A misspelt key explains why the key that was meant is missing.
    meant = {closest(str(error["loc"][-1]), _known(rules.model, error["loc"][:-1])): error["loc"][:-1]
             for error in errors if error["type"] == "extra_forbidden"}  # fmt: skip
    for error in errors:
        if error["type"] == CONFLICTS:
            for path, message in error["ctx"][CONFLICTS]:
                yield Problem(message, rules.hints.get(str(path[0]), ""), document.place(path), field=_dotted(path))
            continue
        path = _written(error, document.data)
        missing = error["type"] in ("missing", "union_tag_not_found")
        if missing and path and meant.get(str(error["loc"][-1])) == error["loc"][:-1]:
            continue
        about_a_group = missing or (error["type"] == "value_error" and isinstance(error["input"], dict))
        if about_a_group and path and path[0] in document.unsure:
            continue
        yield _problem(error, path, document, rules)


def _problem(error: ErrorDetails, path: Path, document: Document, rules: Rules[_ModelT]) -> Problem:
    name = _dotted(path)
    kind, context = error["type"], error.get("ctx", {})
    hint = rules.hints.get(name, "")
    where = document.place(path)
    if kind == "extra_forbidden":
        known = _known(rules.model, error["loc"][:-1])
        guess = closest(str(path[-1]), known)
        hint = f"Did you mean {guess}?" if guess else f"Known here: {', '.join(known)}."
        return Problem(f"unknown setting {str(path[-1])!r}", hint, document.keys.get(path, where), field=name)
    if kind == "missing":
        around = document.place(path[:-1]) if len(path) > 1 else FILE
        return Problem(f"{name} is missing", hint or f"Add {name}.", around, field=name)
    if kind in ("bool_type", "bool_parsing"):
        hint = hint or "Write true or false."
    return Problem(_said(kind, context, error, name, rules), hint, where, field=name)


def _said(kind: str, context: Mapping[str, Any], error: ErrorDetails, name: str, rules: Rules[_ModelT]) -> str:
    names = name.split(".")
    secret = names[0] in rules.private or names[-1] in SECRET_NAMES or isinstance(error["input"], dict | list)
    value = "what stands here" if secret else _short(error["input"])
    if kind == "value_error":
        return str(context["error"])
    if kind in _NAMES:
        if kind == "string_type" and isinstance(error["input"], int | float) and not secret:
            return f"{name}: {value} is read as a {_type_name(error['input'])}, not as text: put quotes around it"
        return f"{name}: {value} is not {_NAMES[kind]}"
    match kind:
        case "greater_than_equal":
            return f"{name}: {value} is too small, the least is {context['ge']}"
        case "less_than_equal":
            return f"{name}: {value} is too large, the most is {context['le']}"
        case "string_pattern_mismatch":
            return f"{name}: {value} is not a {rules.things.get(name, 'valid value')}"
        case "string_too_long":
            return f"{name}: this is longer than {context['max_length']} characters"
        case "string_too_short":
            return f"{name} is empty"
        case "too_short":
            return f"{name}: at least {context['min_length']} must be given"
        case "too_long":
            return f"{name}: more than {context['max_length']} are given"
        case "enum" | "literal_error":
            return f"{name}: {value} is not {context['expected']}"
        case "union_tag_not_found":
            return f"{name}: {context['discriminator'].strip(_QUOTES)} is missing"
        case "union_tag_invalid":
            tag = context["discriminator"].strip(_QUOTES)
            return f"{name}: {tag} {_short(context['tag'])} is not {context['expected_tags']}"
    return f"{name}: {error['msg']}" if name else str(error["msg"])


def _written(error: ErrorDetails, data: object) -> Path:
    """The path in the user's data: without the tags that pydantic puts in for unions."""
    path: list[int | str] = []
    absent = error["type"] in ("missing", "extra_forbidden")
    for index, part in enumerate(error["loc"]):
        last = index == len(error["loc"]) - 1
        if isinstance(data, dict) and (part in data or (last and absent)):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _dotted(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _known(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The settings that the model knows at a place."""
    models: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        inner = [found for model in models if part in model.model_fields
                 for found in models_in(model.model_fields[part].annotation)]  # fmt: skip
        # Else the part is the tag of a union.
        tagged = [model for model in models if part in _tags(model)]
        models = inner or tagged or models
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def _tags(model: type[BaseModel]) -> list[object]:
    return [field.default for name, field in model.model_fields.items() if name in ("method", "type", "action")]


def models_in(annotation: object) -> list[type[BaseModel]]:
    """The models that a type names, in unions and collections too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in models_in(argument)]


def _type_name(value: object) -> str:
    return "true or false" if isinstance(value, bool) else "number"


def _short(value: object) -> str:
    # As YAML and JSON write it.
    text = {"True": "true", "False": "false", "None": "null"}.get(repr(value), repr(value))
    return text if len(text) <= 60 else text[:57] + "..."
