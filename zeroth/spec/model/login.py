"""Who may log in, and how."""

from typing import Annotated, Self

from pydantic import Field, ValidationInfo, model_validator

from zeroth.spec.fields import PasswordHash, PersonName, ShellPath, SshKey, UserName
from zeroth.spec.model.base import STORED, Model, Password, Switch

__all__ = ["RootLogin", "UserSpec"]


class _Login(Model):
    """Passwords and keys of an account.

    A plain password is accepted in answer files and replaced by its hash before anything is stored or shown.
    """

    password_hash: PasswordHash | None = None
    password: Password | None = None
    ssh_keys: Annotated[tuple[SshKey, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _some_way_in(self, info: ValidationInfo) -> Self:
        if self.password_hash and self.password:
            raise ValueError("give either password_hash or password, not both")
        if not (self.password_hash or self.password or self.ssh_keys or info.context == STORED):
            raise ValueError(self._no_way_in())
        return self

    def _no_way_in(self) -> str:
        return "there is no way to log in: give a root password or an ssh key"


class RootLogin(_Login):
    """How the administrator gets in: a password, keys, or both."""


class UserSpec(_Login):
    """A further account of domain 0.

    :ivar gecos: the person's name.
    :ivar admin: may become root (sudo).
    """

    name: UserName
    gecos: PersonName = ""
    admin: Switch = False
    shell: ShellPath = "/bin/bash"

    def _no_way_in(self) -> str:
        return f"there is no way for {self.name} to log in: give a password or an ssh key"
