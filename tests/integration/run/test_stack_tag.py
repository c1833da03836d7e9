"""A run checks the functions with the tag that the rights of its stack are bound to, whatever the policy says."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.own_account import own_account, sample_event
from tests.integration.run.test_run_handlers import RUN, Account

TAG = ("team-optimizer", "yes")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with own_account(monkeypatch, "eu-west-1"):
        for name, value in zip(("OPTIMIZER_TAG_KEY", "OPTIMIZER_TAG_VALUE"), TAG, strict=True):
            monkeypatch.setenv(name, value)
        made = Account(monkeypatch)
        made.function("theirs")
        made.function("ours", **dict([TAG]), optimizer="off")
        made.function("both", **dict([TAG]), prod="yes")
        yield made


def checked(account: Account) -> list[str]:
    answer = account.call("start_run", sample_event("start_run"))
    assert answer["outcome"] == "started"
    batches = [account.documents.read(key) for key in account.documents.keys(f"runs/{RUN}/batches/")]
    return [function["function_name"] for batch in batches for function in batch["functions"]]


def test_a_run_without_a_policy_finds_the_functions_of_the_stack(account: Account) -> None:
    assert checked(account) == ["both", "ours"]


@pytest.mark.parametrize("functions", [{}, {"include": ["*"]}])
def test_a_policy_without_tags_means_the_tag_of_the_stack(account: Account, functions: Any) -> None:
    account.policy({"version": 1, "functions": functions})
    assert checked(account) == ["both", "ours"]


def test_the_tag_of_the_stack_is_added_to_those_of_the_policy(account: Account) -> None:
    account.policy({"version": 1, "functions": {"tags": {"prod": "yes"}}})
    assert checked(account) == ["both"]


def test_a_policy_against_the_stack_is_an_error_with_its_place(account: Account) -> None:
    account.policy({"version": 1, "functions": {"tags": {"team-optimizer": "no"}}})
    answer = account.call("start_run")
    assert answer["outcome"] == "policy_invalid"
    assert 'must be "yes", not "no": the stack (TagKey, TagValue) may change no others.' in answer["message"]
    assert "functions.tags" in answer["message"]
