"""Commands that messages name, for people to copy."""

_USUAL_STACK = "optimizer"


def command_for(command: str, stack: str) -> str:
    """Return a command with the option that names the stack, where it has another name than the command expects."""
    return command if stack in ("", _USUAL_STACK) else f"{command} --stack {stack}"


def report_command(run_id: str, stack: str) -> str:
    """Return the command that opens the report of a run, for teams without the pages."""
    return command_for(f"optimizer report {run_id} --open", stack)
