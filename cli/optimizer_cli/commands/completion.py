"""`optimizer completion`: completion of commands and options in a shell."""

import click
from click.shell_completion import get_completion_class


@click.command(
    help="""Print the script with which SHELL completes commands and options.

Add the line of your shell to its configuration file.

\b
    ~/.bashrc                    eval "$(optimizer completion bash)"
    ~/.zshrc                     eval "$(optimizer completion zsh)"
    ~/.config/fish/config.fish   optimizer completion fish | source
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows these shells
    click.echo(found(context.find_root().command, {}, "optimizer", "_OPTIMIZER_COMPLETE").source())
