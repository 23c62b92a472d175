"""docs/decisions/0001-licence.md: pykickstart and Apache-2.0 libraries never meet in one process."""

from __future__ import annotations

import ast
import json
import sys
from importlib.metadata import distributions
from pathlib import Path

from zeroth.system.run import run

ROOT = Path(__file__).parents[3]
_LIST_MODULES = """
import sys
from zeroth.spec.kickstart import __main__ as reader
sys.stdout = sys.stderr          # its answer does not matter here
reader.main()
assert "pykickstart.parser" in sys.modules
import json
where = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
sys.__stdout__.write(json.dumps(where))
"""
# Of our own requirements; MIT, BSD, PSF and GPL "or later" combine with GPL version 2.
_ALLOWED = {"pykickstart", "zeroth"}


def test_the_reader_loads_pykickstart_and_no_other_library() -> None:
    text = "network --hostname=xen1\n%include http://127.0.0.1:9/x\nrootpw secret\n"
    done = run([sys.executable, "-P", "-c", _LIST_MODULES], input=text)
    loaded = {name.partition(".")[0]: file for name, file in json.loads(done.stdout).items()}
    assert loaded["requests"] is None, "requests is a stand-in without a file"
    installed = {
        str(file).partition("/")[0].removesuffix(".py")
        for item in distributions()
        if item.name not in _ALLOWED
        for file in item.files or ()
    }
    from_site_packages = {name for name, file in loaded.items() if file and "site-packages" in file}
    # The editable installation of zeroth itself has finders with such names.
    found = {name for name in from_site_packages & installed if not name.startswith(("__editable__", "_virtualenv"))}
    assert found - {"_distutils_hack", "distutils-precedence"} <= _ALLOWED, found


def test_nobody_else_imports_pykickstart() -> None:
    importers = set()
    for path in sorted((ROOT / "zeroth").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "pykickstart" for name in names):
                importers.add(path.relative_to(ROOT / "zeroth" / "spec" / "kickstart").as_posix())
    assert importers == {"commands.py", "filling.py", "networks.py", "own.py", "parser.py"}


def test_our_own_process_does_not_load_the_reader() -> None:
    code = "import sys, zeroth.spec.load, zeroth.spec.cli, zeroth.spec.sources; print(*sys.modules)"
    loaded = run([sys.executable, "-P", "-c", code]).stdout.split()
    assert "zeroth.spec.kickstart.client" in loaded
    assert not [name for name in loaded if name.startswith(("pykickstart", "zeroth.spec.kickstart.parser"))]


def test_the_barred_module_reaches_nothing() -> None:
    code = (
        "from zeroth.spec.kickstart.bar import bar_requests; bar_requests()\n"
        "import requests\n"
        "try: requests.get('http://127.0.0.1:9/')\n"
        "except requests.exceptions.RequestException as error: print(error)"
    )
    assert "does not reach the network" in run([sys.executable, "-P", "-c", code]).stdout
