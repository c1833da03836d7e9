"""A message fits into what SNS and EventBridge take, in any script, and says so where it left something out."""

import json

import pytest
from optimizer.report.message import LARGEST, LONGEST_MAIL, LONGEST_TEXT, Message, program_text, sent_bytes

from tests.helpers.topics import PEOPLE, PROGRAMS, Topics

SCRIPTS = {
    "plain": ("Mean duration falls from 812 ms to 431 ms at 4 % less; ", "checkout: memory 512 to 1024 MB, cheaper\n"),
    "accents": ("für größere Größen über alles schöner; ", "größer wäre schöner für Größe über alles ä ö ü\n"),
    "Cyrillic": ("Память функции будет увеличена вдвое ", "Память функции будет увеличена вдвое; \n"),
    "quotes": ('"\\"\\\\"', 'say "so"\\\n'),
    "emoji": ("🚀🔥", "🚀 faster\n"),
}


def message(count: int, reason: str, line: str = "", **fields: str) -> Message:
    changes = [
        {
            "change_id": f"memory-{number:016x}",
            "tuner": "memory",
            "target": f"checkout-{number}",
            "status": "recommended",
            "what": "memory 512 -> 1024 MB",
            "reason": reason,
            "usd_month": {"estimate": -1.2, "low": -2.5, "high": 0.0},
        }
        for number in range(count)
    ]
    return Message(
        kind="Run finished",
        subject="Optimizer: x",
        text=line * 2000,
        run_id="a" * 36,
        outcome="succeeded",
        severity="info",
        tuners=("memory",),
        details={"changes": changes, "changes_left_out": False},
        **fields,
    )


def publish(said: Message) -> Topics:
    """Publish the message to people and programs of a topic that counts bytes."""
    sns = Topics()
    for topic in (PEOPLE, PROGRAMS):
        sns.listen(topic, topic, protocol="sqs")
    sns.publish(TopicArn=PEOPLE, Message=said.for_people(), MessageAttributes=said.attributes())
    body = program_text(said.for_programs())
    sns.publish(TopicArn=PROGRAMS, Message=body, MessageAttributes=said.attributes())
    return sns


@pytest.mark.parametrize("script", SCRIPTS)
def test_message_fits_and_is_as_long_as_it_may_be(script: str) -> None:
    reason, line = SCRIPTS[script]
    for count in (1, 40, 100):
        for length in (0, 100, 400, 1500, 4000):
            said = message(count, (reason * 150)[:length], line)
            sns = publish(said)
            found = sns.inboxes[PROGRAMS][0].document
            assert len(sns.inboxes[PEOPLE][0].body.encode()) <= LONGEST_MAIL + 100
            assert len(found["text"].encode()) <= LONGEST_TEXT + 100
            # A queue gets the body escaped, in a document with the attributes.
            assert len(sent_bytes(found)) <= LARGEST
            left_out = len(found["changes"]) < count
            assert found["changes_left_out"] is left_out
            if left_out:
                one_more = {**found, "changes": said.document()["changes"][: len(found["changes"]) + 1]}
                assert len(sent_bytes(one_more)) > LARGEST - 5_000


def test_hundred_changes_in_cyrillic_arrive_whole() -> None:
    reason, line = SCRIPTS["Cyrillic"]
    found = publish(message(100, (reason * 12)[:390], line)).inboxes[PROGRAMS][0].document
    assert (len(found["changes"]), found["changes_left_out"]) == (100, False)
    assert found["changes"][99]["reason"].startswith("Память функции")


def test_half_a_character_does_not_stop_a_message() -> None:
    """Texts come from error messages, which may be cut in the middle of a pair."""
    said = message(1, "cut \ud83d", "line \ud83d\n")
    sns = publish(said)
    assert "cut ?" in sns.inboxes[PROGRAMS][0].body
    assert json.loads(sns.inboxes[PROGRAMS][0].body)["text"].startswith("line ?")
    assert sns.inboxes[PEOPLE][0].body.startswith("line ?")


def test_no_attribute_is_empty() -> None:
    """The first run of all tunes nothing; SNS may refuse an empty list."""
    said = Message("Run finished", "Optimizer: x", "text", "run-1", "succeeded", "info", ())
    assert sorted(said.attributes()) == ["outcome", "run", "severity"]
    assert publish(said).published == 2


def test_link_of_one_approver_is_in_no_document() -> None:
    said = message(1, "", "https://page/?mac=x\n", link="https://page/?mac=x", approver="anna")
    assert "mac" not in json.dumps(said.for_programs())
    assert said.for_programs()["approver"] == "anna"
    assert "https://page/?mac=x" in said.for_people()
