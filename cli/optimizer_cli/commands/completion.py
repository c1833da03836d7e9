"""`optimizer completion`: completion of commands and options in a shell."""

import click
from click.shell_completion import get_completion_class


@click.command(
    help="""Print what a SHELL needs to complete commands and options.

\b
    bash   eval "$(optimizer completion bash)"           in ~/.bashrc
    zsh    eval "$(optimizer completion zsh)"            in ~/.zshrc
    fish   optimizer completion fish | source            in ~/.config/fish/config.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print it."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - one of click's own
    click.echo(found(context.find_root().command, {}, "optimizer", "_OPTIMIZER_COMPLETE").source())
