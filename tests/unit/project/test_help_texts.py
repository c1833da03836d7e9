"""Every command and every option explains itself, on a terminal of 80 columns too."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from optimizer_cli.main import main


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Each command with its words, groups too."""
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield (*path, name), found


KNOWN = list(commands(main))
NAMES = [" ".join(path) or "optimizer" for path, _ in KNOWN]


@pytest.mark.parametrize(("path", "command"), KNOWN, ids=NAMES)
def test_help_fits_into_80_columns(path: tuple[str, ...], command: click.Command) -> None:  # noqa: ARG001 - pairs
    done = CliRunner().invoke(main, [*path, "--help"], terminal_width=80)
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert "..." not in done.stdout.partition("Commands:")[2], "a line of the list is cut off"


@pytest.mark.parametrize(("path", "command"), KNOWN, ids=NAMES)
def test_help_begins_with_a_sentence_of_its_own(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    first = command.help.partition("\n\n")[0]
    assert first.rstrip()[-1] in ".:", first
    assert not first.startswith("`"), f"{path}: the usage line names the command already"


@pytest.mark.parametrize(("path", "command"), KNOWN, ids=NAMES)
def test_every_option_has_a_help_text(path: tuple[str, ...], command: click.Command) -> None:
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == [], path
