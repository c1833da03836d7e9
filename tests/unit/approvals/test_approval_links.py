"""What a link holds and what its signature covers."""

from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, strategies as st
from optimizer.approvals.links import ApprovalLink, MalformedLink, parse

LINK = ApprovalLink("run-1", "anna", datetime(2026, 11, 3, 9, 0, tzinfo=UTC), "d" * 64)
SIGNATURE = bytes(range(32))


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_link_survives_the_address() -> None:
    url = LINK.url("https://abc.lambda-url.eu-central-1.on.aws/", SIGNATURE)
    assert url.startswith("https://abc.lambda-url.eu-central-1.on.aws/?run=run-1&approver=anna&")
    assert parse(query_of(url)) == (LINK, SIGNATURE)


@given(
    st.text(
        st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from("-_.+!@()='"), min_size=1, max_size=80
    )
)
def test_every_run_id_survives_the_link(run_id: str) -> None:
    link = replace(LINK, run_id=run_id)
    assert parse(query_of(link.url("https://x.example", SIGNATURE))) == (link, SIGNATURE)


def test_signature_covers_run_approver_expiry_and_digest() -> None:
    others = [
        replace(LINK, run_id="run-2"),
        replace(LINK, approver="ben"),
        replace(LINK, expires_at=datetime(2026, 11, 3, 9, 1, tzinfo=UTC)),
        replace(LINK, digest="e" * 64),
        replace(LINK, run_id='run-1","anna'),
    ]
    assert len({link.signed_bytes() for link in [LINK, *others]}) == 6


def test_link_does_not_contain_the_task_token() -> None:
    assert set(query_of(LINK.url("https://x.example", SIGNATURE))) == {
        "run",
        "approver",
        "until",
        "digest",
        "mac",
    }


@pytest.mark.parametrize("name", ["run", "approver", "until", "digest", "mac"])
@pytest.mark.parametrize("value", [None, "", " ", "a b", "<b>", "1\n", "x" * 200, "\N{FULLWIDTH DIGIT ONE}" * 90])
def test_malformed_link_raises_malformed_link(name: str, value: str | None) -> None:
    query = query_of(LINK.url("https://x.example", SIGNATURE))
    changed = {**query, name: value} if value is not None else {key: query[key] for key in query if key != name}
    with pytest.raises(MalformedLink):
        parse({key: text for key, text in changed.items() if text is not None})
