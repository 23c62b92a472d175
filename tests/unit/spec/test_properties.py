"""What holds for every text: it is read or refused with places, and nothing else happens."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.unit.spec.reader import KeptReader
from tests.unit.spec.strategies import AWKWARD, damaged, hosts, whole_hosts
from zeroth.spec import AnswerErrors, AnswerText, HostSpec
from zeroth.spec.answer import Language
from zeroth.spec.checks import Known
from zeroth.spec.kickstart.vocabulary import COMMANDS, HOOKS
from zeroth.spec.kickstart.words import cut, join_list, split_list
from zeroth.spec.kickstart.writer import kickstart_text
from zeroth.spec.load import _READERS, load_answer, read_answer
from zeroth.spec.yaml_text import read_yaml, write_yaml

ANSWERS = Path(__file__).parents[2] / "answers" / "good"
KNOWN = Known(frozenset({"Etc/UTC", "Europe/Berlin", "Etc/GMT+3"}), frozenset({"us", "de", "fr"}))
MANY = settings(suppress_health_check=list(HealthCheck), max_examples=100)


def _goods(ending: str) -> list[str]:
    return [path.read_text() for path in ANSWERS.glob(f"*.{ending}")]


@pytest.fixture(autouse=True)
def _kept_reader(reader: KeptReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_READERS, Language.KICKSTART, reader.read)
    # The real hash takes its time on purpose.
    monkeypatch.setattr("zeroth.spec.secrets.hash_password", lambda password: "$6$salt$" + "x" * 86)


def _read(text: str, name: str) -> HostSpec | None:
    """Read a text; a refusal is checked for sense."""
    reading = read_answer(AnswerText(text, name), KNOWN)
    if reading.spec is not None:
        return reading.spec
    assert reading.errors
    lines = text.split("\n")
    for problem in reading.problems:
        assert problem.message
        assert 0 <= problem.where.line <= len(lines) + 1
        if 0 < problem.where.line <= len(lines):
            assert 1 <= problem.where.column <= len(lines[problem.where.line - 1]) + 1
            assert problem.where.end >= problem.where.column
    error = AnswerErrors(name, reading.problems, text)
    assert all(char.isprintable() or char == "\n" for char in str(error))
    json.dumps(error.as_json())
    return None


@MANY
@given(st.text() | damaged(_goods("ks")))
@example("%pre\n%end x\n%post\n")
@example('""')
@example("#\x1c\n\x1c#x\n\x85 y\n")
@example("reboot \\")
@example("network --hostname=x --ip")
@example("rootpw -- --x")
@example("xen --dom0-mem=" + "9" * 5000)
@example("network --hostname=x --vlanid=²")
@example("network --hostname=\ud800")
def test_any_kickstart_is_read_or_refused(text: str) -> None:
    _read(text, "answer.ks")


@MANY
@given(st.text() | damaged(_goods("yaml")))
@example("? [a]\n: b\n")
@example("hostname: [" * 3000)
@example("- " * 3000)
@example("a: 0x1F\nb: " + "9" * 5000)
@example("'")
@example("a:\x85 b\u2028c: {x: y: z}\r\n")
@example("\x07")
@example("hostname: !!binary x")
@example("%YAML 1.1\n---\nhostname: x\n")
def test_any_yaml_is_read_or_refused(text: str) -> None:
    _read(text, "answer.yaml")


@MANY
@given(st.text() | damaged(_goods("json")))
@example("[" * 100_000)
@example('{"hostname": "\ud800"}')
@example('{"hostname": "\\ud800", "root": {"password": "\\ud800", "ssh_keys": ["\\ud800", "\\u0000"]}}')
@example('{"hostname": "x", "root": {"password": "\\ud800"}}')
@example('{"hostname": "x", "root": {"password": "a\\u0000"}}')
@example('{"dom0": {"vcpus": 1e999, "serial": ' + "9" * 5000 + "}}")
@example('{"hostname": {"hostname": {"a": []}}, "root": null}')
def test_any_json_is_read_or_refused(text: str) -> None:
    _read(text, "answer.json")


@MANY
@given(st.text() | damaged(_goods("xml")))
@example("<a>" * 1000)
@example("<installation>\r<a b='c'/>\r</installation>")
@example("<installation xmlns:x='y'><x:a x:b='c'>&#xD800;</x:a></installation>")
@example("<installation a='&#10;' b='&lt;'>&#0;</installation>")
@example("<?xml version='1.0' encoding='utf-16'?><installation/>")
@example("\ud800<installation/>")
@example("<installation><![CDATA[<]]><?x y?><!-- - --></installation>")
@example("<installation><ipaddr>" + "9" * 5000 + "</ipaddr></installation>")
def test_any_xml_is_read_or_refused(text: str) -> None:
    _read(text, "answer.xml")


@MANY
@given(st.text() | damaged(_goods("toml")))
@example("a = " + "[" * 5000)
@example("a = " + "{b=" * 5000)
@example(".".join("a" * 5000) + " = 1")
@example("[" + ".".join("a" * 200) + "]")
@example("a = " + "9" * 5000)
@example('a = 1e999\nb = nan\nc = 0x1f\nd = 07:32:00\ne = "\\U0001F600"')
@example("[a]\r\nb = 1\r\n[a.b]\r\n")
@example("[[disk-setup]]\nfilesystem = 1\n")
@example('"\\ud800" = 1')
def test_any_toml_is_read_or_refused(text: str) -> None:
    _read(text, "answer.toml")


_SCALARS = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text()
_KEYS = st.sampled_from([*HostSpec.model_fields, "address", "method", "static", "password"]) | st.text()
_DATA = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@MANY
@given(_DATA)
def test_any_json_data_is_read_or_refused(data: object) -> None:
    _read(json.dumps(data), "answer.json")


@settings(MANY, max_examples=40)
@given(hosts())
def test_every_host_can_be_written_and_read_in_every_language(spec: HostSpec) -> None:
    assert _read(kickstart_text(spec), "answer.ks") == spec
    data = spec.model_dump(mode="json")
    assert _read(write_yaml(data), "answer.yaml") == spec
    assert _read(json.dumps(data), "answer.json") == spec


@settings(MANY, max_examples=60)
@given(whole_hosts())
def test_everything_that_a_host_can_be_survives_kickstart(spec: HostSpec) -> None:
    assert _read(kickstart_text(spec), "answer.ks") == spec


def test_every_setting_can_be_written_in_kickstart() -> None:
    """The strategy above must not forget a part of the model."""
    covered = {name for command in (*COMMANDS, *HOOKS) for name in command.fields}
    assert covered == set(HostSpec.model_fields) - {"schema_version"}


@MANY
@given(st.lists(st.text(st.sampled_from("ab,\\= "), min_size=1).map(str.strip), min_size=1))
def test_lists_with_commas_are_taken_apart_again(parts: list[str]) -> None:
    assert split_list(join_list(parts)) == parts


@MANY
@given(st.lists(_DATA, max_size=3) | st.dictionaries(st.text(min_size=1), _DATA, max_size=3))
def test_yaml_that_is_written_is_read_back(data: object) -> None:
    assert read_yaml(write_yaml(data)).data == data


@MANY
@given(AWKWARD | st.text())
@example("a#b c")
@example("a \\ ")
@example("a\\  b")
@example(" a \"b  c\"d\t'e'  # f")
def test_words_are_those_of_shlex_with_their_places(text: str) -> None:
    line = text.replace("\n", " ").replace("\r", " ")
    try:
        wanted = shlex.split(line, comments=True)
    except ValueError:
        with pytest.raises(ValueError, match=r"quotation|escaped"):
            cut(line)
        return
    words = cut(line)
    assert [word.text for word in words] == wanted
    end = 1
    for word in words:
        assert end <= word.start < word.end <= len(line) + 1
        assert not line[word.start - 1].isspace() or line[word.start - 1] not in " \t\r\n"
        assert "#" in line or shlex.split(line[word.start - 1 : word.end - 1]) == [word.text]
        end = word.end


@settings(MANY, max_examples=30)
@given(
    st.text(st.sampled_from("abcXYZ#'\" \\$=-"), min_size=6, max_size=12),
    st.sampled_from(["rootpw", "rotpw", "rootpwd"]),
)
def test_no_report_shows_a_password(middle: str, command: str) -> None:
    # A word of an unquoted password that begins like an option is taken for one, and a wrong option has to be named.
    assume(" -" not in middle)
    secret = f"Zq{middle}qZ"
    lines = [
        f"{command} --plaintext {shlex.quote(secret)}", f"{command} {secret}", f"{command} --plaintext={secret} --x",
        f"{command} --iscrypted '{secret}",
    ]  # fmt: skip
    for line in lines:
        with pytest.raises(AnswerErrors) as caught:
            load_answer(AnswerText(f"{line}\nnonsense\n", "answer.ks"), KNOWN)
        _tells_nothing(caught.value, secret)
    quoted = json.dumps(secret)
    for text in (
        f"root: {{password: {quoted}, x: 1}}\n",
        f"root:\n  password: {quoted}\n  password: {quoted}\n",
        f"root:\n  password:\n    {quoted}\n  x\n",
        f"root: {quoted}\n",
        f"root:\n  password_hash: {quoted}\n",
    ):
        with pytest.raises(AnswerErrors) as caught:
            load_answer(AnswerText(text, "answer.yaml"), KNOWN)
        _tells_nothing(caught.value, secret)


def _tells_nothing(error: AnswerErrors, secret: str) -> None:
    shown = str(error) + json.dumps(error.as_json())
    for piece in (secret, *[word for word in secret.split() if len(word) > 4]):
        assert piece not in shown
