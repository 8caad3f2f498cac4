"""`syncd completion`: the script that teaches a shell the commands and options."""

from __future__ import annotations

import click

from syncd.cli.exits import DONE
from syncd.cli.options import Command


@click.command(name="completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script for bash, zsh or fish.

    \b
    bash   eval "$(syncd completion bash)"      in ~/.bashrc
    zsh    eval "$(syncd completion zsh)"       in ~/.zshrc
    fish   syncd completion fish > ~/.config/fish/completions/syncd.fish
    """  # noqa: D301  (click's own \\b: keep these lines apart)
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    from syncd.cli.app import cli  # noqa: PLC0415  (app names this module)

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(cli, {}, "syncd", "_SYNCD_COMPLETE").source())
    return DONE
