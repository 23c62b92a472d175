"""``zeroth completion``: what makes a shell complete zeroth's commands, options and files by tab."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]

_VARIABLE = "_ZEROTH_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete zeroth's commands by tab. On installed hosts bash does already.

    \b
    Examples:
      zeroth completion bash > ~/.local/share/bash-completion/completions/zeroth
      zeroth completion zsh > ~/.zfunc/_zeroth      # with fpath+=~/.zfunc before compinit in ~/.zshrc
      zeroth completion fish > ~/.config/fish/completions/zeroth.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    words = kind(context.find_root().command, {}, "zeroth", _VARIABLE)
    # Not source(): for bash that starts a bash, to look at the version of the one that happens to be here.
    click.echo(words.source_template % words.source_vars(), nl=False)
