"""``zeroth answer``."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from zeroth.cli import run_cli
from zeroth.errors import ExitCode
from zeroth.spec import AnswerText, load_answer
from zeroth.spec.cli import answer
from zeroth.spec.explain import explained

ANSWERS = Path(__file__).parents[2] / "answers"
GOOD, BAD = ANSWERS / "good", ANSWERS / "bad"


def test_lint_says_that_nothing_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", "lint", str(GOOD / "full.ks"), str(GOOD / "full.json")]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        f"{GOOD / 'full.ks'}: no problems",
        f"{GOOD / 'full.json'}: no problems",
    ]


def test_lint_shows_every_problem_of_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(BAD / "many-at-once.ks"), str(BAD / "unknown-keys.yaml"), str(BAD / "bad-utf8.ks"), "/nonexistent.ks"]
    assert run_cli(["answer", "lint", *files, str(GOOD / "minimal.ks")]) == ExitCode.INPUT
    shown = capsys.readouterr()
    assert not shown.err
    assert f"{BAD / 'many-at-once.ks'}: 6 errors" in shown.out
    assert "    5 | xen\n      | ^^^\n  error: xen says nothing\n  hint: As in: xen --dom0-mem=2G\n" in shown.out
    assert "Did you mean hostname?" in shown.out
    assert "0xdf is not UTF-8" in shown.out
    assert "cannot read /nonexistent.ks: No such file" in shown.out
    assert "minimal.ks: no problems" in shown.out


def test_lint_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(BAD / "vlan-4095.ks"), str(GOOD / "static-vlan.ks")]
    assert run_cli(["answer", "lint", "--json", *files]) == ExitCode.INPUT
    bad, good = json.loads(capsys.readouterr().out)
    assert (bad["ok"], good["ok"]) == (False, True)
    assert bad["problems"] == [
        {
            "severity": "error",
            "file": files[0],
            "line": 2,
            "column": 34,
            "field": "management.vlan",
            "message": "management.vlan: 4095 is too large, the most is 4094",
            "hint": "A VLAN tag is 1 to 4094; leave it out when the switch port is untagged.",
        }
    ]
    assert [problem["severity"] for problem in good["problems"]] == ["warning"]


def test_lint_needs_a_file() -> None:
    assert run_cli(["answer", "lint"]) == ExitCode.USAGE


@pytest.mark.parametrize("path", sorted(GOOD.iterdir()), ids=lambda path: path.name)
def test_standard_input_may_be_of_any_language(path: Path) -> None:
    from_file, piped = (
        CliRunner().invoke(answer, ["show", name, "--json"], input=path.read_bytes()) for name in (str(path), "-")
    )
    assert (piped.exit_code, piped.stdout) == (from_file.exit_code, from_file.stdout)


@pytest.mark.parametrize(
    ("text", "ending"),
    [("# one\n\nhostname: a", "yaml"), ("---\nhostname: a", "yaml"), ('{"hostname": "a"}', "json"),
     ("<installation/>", "xml"), ("[global]\nkeyboard = 'de'", "toml"), ("global.fqdn = 'a.b'", "toml"),
     ("lang C.UTF-8", "ks"), ("", "ks"), ("---x", "ks"), ("%pre\nx: y\n%end", "ks")],
)  # fmt: skip
def test_a_text_without_a_name_tells_its_language(text: str, ending: str) -> None:
    assert AnswerText.from_unnamed(io.BytesIO(text.encode()), "standard-input").name == f"standard-input.{ending}"


def test_show_hides_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", "show", str(GOOD / "full.ks")]) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "password_hash: '***'" in shown
    assert "$y$" not in shown
    assert run_cli(["answer", "show", "--json", str(GOOD / "full.ks")]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["root"]["password_hash"] == "***"


def test_a_bad_file_is_reported_with_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", "show", str(BAD / "misspelt-command.ks")]) == ExitCode.INPUT
    shown = capsys.readouterr().err
    assert "3 | timezon Europe/Berlin" in shown
    assert "Did you mean 'timezone'?" in shown


@pytest.mark.parametrize("name", ["full.ks", "full.yaml", "minimal.ks"])
@pytest.mark.parametrize("language", ["ks", "yaml", "json"])
def test_convert_says_the_same(name: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", "convert", str(GOOD / name), "--to", language]) == ExitCode.DONE
    converted = AnswerText(capsys.readouterr().out, f"x.{language}")
    assert load_answer(converted) == load_answer(AnswerText.from_file(GOOD / name))


def test_explain_warns_of_what_is_destroyed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", "explain", str(GOOD / "full.yaml")]) == ExitCode.DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "EVERYTHING on /dev/disk/by-id/nvme-EXAMPLE_1234" in shown
    assert "192.0.2.10/24, gateway 192.0.2.1" in shown
    assert run_cli(["answer", "explain", str(GOOD / "everything.yaml")]) == ExitCode.DONE
    assert "…" not in capsys.readouterr().out, "nothing is cut off, however long it is"
    assert run_cli(["answer", "explain", "--json", str(GOOD / "minimal.yaml")]) == ExitCode.DONE
    rows = json.loads(capsys.readouterr().out)
    assert rows["Destroyed"].startswith("nothing")
    assert rows["Login"] == "root, with one ssh key (admin@example.com)"
    assert "Left out" not in rows


def test_explain_tells_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", "explain", "--json", str(GOOD / "xcp-mirror.xml")]) == ExitCode.DONE
    assert "<fcoe-interface> has no counterpart" in json.loads(capsys.readouterr().out)["Left out"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_of_another_encoding_is_called_so(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffhostname: x".encode(encoding))
    assert run_cli(["answer", "lint", str(path)]) == ExitCode.INPUT
    assert "Save the file as UTF-8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("select", "text"),
    [
        ("only", "the only disk"), ("smallest", "the smallest disk"), ("serial=A=B", "whose serial is A=B"),
        ("/dev/disk/by-path/a=b", "/dev/disk/by-path/a"), ("/dev/sda", "/dev/sda"),
    ],
)  # fmt: skip
def test_explain_tells_the_disk(select: str, text: str) -> None:
    data = json.loads((GOOD / "full.json").read_text())
    data["disk"]["select"] = select.partition("=b")[0]
    assert text in dict(explained(load_answer(AnswerText(json.dumps(data), "a.json"))))["Disk"]


@pytest.mark.parametrize("command", ["lint", "show", "explain", "convert"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["answer", command, "--help"]) == ExitCode.DONE
    assert "Example" in capsys.readouterr().out
