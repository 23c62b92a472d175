"""How the administrator gets in, and the removal of what was needed for it from the stored answer."""

from __future__ import annotations

from firstboot.context import Context, Step
from firstboot.journal import digest
from zeroth.errors import ExitCode, UserError
from zeroth.spec.stored import scrubbed

__all__ = ["LOGIN", "SECRETS"]


def _login(context: Context) -> str:
    root = context.spec.root
    if root.password is not None:
        raise UserError(
            "the stored answer holds a plain password, where only its hash may be",
            "Replace it by its hash (mkpasswd -m yescrypt) in root.password_hash.",
            where="root.password",
            code=ExitCode.MACHINE,
        )
    if root.password_hash:
        # By standard input: the argument list of a process can be read by everybody.
        context.system.run(["chpasswd", "-e"], stdin=f"root:{root.password_hash}\n", secrets=[root.password_hash])
    if root.ssh_keys:
        _authorize(context)
    return ""


def _authorize(context: Context) -> None:
    folder = context.paths.of("root/.ssh")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "authorized_keys"
    lines = path.read_text().splitlines() if path.exists() else []
    lines += [key for key in context.spec.root.ssh_keys if key not in lines]
    context.system.write(path, "".join(line + "\n" for line in lines), mode=0o600)


def _inputs(context: Context) -> object:
    root = context.spec.root
    return {"password": digest(root.password_hash), "keys": root.ssh_keys}


def _secrets(context: Context) -> str:
    context.system.write(context.paths.hostspec, scrubbed(context.paths.hostspec), mode=0o600)
    return ""


LOGIN = Step("login", "Root's login", _inputs, _login)
# Its result is the absence of secrets: whenever there are some again, it is to be done again.
SECRETS = Step("secrets", "Secrets leave the stored answer", lambda context: "1", _secrets, every_try=True)
