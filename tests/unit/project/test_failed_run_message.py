"""The message about a failed run names the command that starts it again, where the same input can succeed."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.helpers.asl_player import Player


@pytest.mark.parametrize(
    ("outcome", "error", "starts_again"),
    [("policy_invalid", "PolicyInvalid", True), ("request_invalid", "RequestInvalid", False)],
)
def test_message_names_the_command_where_it_can_help(outcome: str, error: str, starts_again: bool) -> None:
    published: list[Mapping[str, Any]] = []

    def act(resource: str, arguments: Mapping[str, Any]) -> Any:
        if resource == "sns:publish":
            published.append(arguments)
        return {"Payload": {"outcome": outcome, "message": "One word is wrong."}}

    assert Player("optimize", act, "monday").play({}) == "FAILED"
    people = published[0]["Message"]
    begin = f"The run monday failed in StartRun: {error}. One word is wrong. "
    command = "Once its cause is removed, start it again with `optimizer run --again monday --stack Stack`. "
    assert people == f"{begin}{command if starts_again else ''}Execution: arn:execution:monday"
