"""One spelling for every document."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, strategies as st
from optimizer.core import canonical_json

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé\u2028"'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé", max_size=2), inner, max_size=4),
    max_leaves=12,
)


class Word(StrEnum):
    ONE = "one"


class Number(Enum):
    ONE = 1


@dataclass(frozen=True, slots=True)
class Inner:
    sizes: MappingProxyType[int, float]


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner
    at: datetime
    words: frozenset[Word]
    pair: tuple[Number, date]


OUTER = Outer(
    Inner(MappingProxyType({1024: 1.0, 128: 2.5})),
    datetime(2026, 1, 2, tzinfo=UTC),
    frozenset({Word.ONE}),
    (Number.ONE, date(2026, 1, 3)),
)


@given(JSON)
def test_what_is_read_back_is_spelled_as_before(document: Any) -> None:
    text = canonical_json.dumps(document)
    assert canonical_json.dumps(canonical_json.plain(document)) == text
    assert canonical_json.plain(document) == document


def test_classes_enumerations_times_and_sets_have_one_spelling() -> None:
    # Keys that are numbers are sorted as the texts that they are when the document is read back.
    spelled = (
        '{"at":"2026-01-02T00:00:00+00:00","inner":{"sizes":{"1024":1.0,"128":2.5}},'
        '"pair":[1,"2026-01-03"],"words":["one"]}'
    )
    assert canonical_json.dumps(OUTER) == canonical_json.dumps(canonical_json.plain(OUTER)) == spelled


@pytest.mark.parametrize(
    "wrong",
    [object(), b"bytes", datetime(2026, 1, 2), {"a": [object()]}],  # noqa: DTZ001
    ids=["an object", "bytes", "a time without a zone", "within"],
)
def test_what_json_cannot_hold_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json.dumps(wrong)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_is_an_error(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json.plain({"n": number})


@dataclass(frozen=True, slots=True)
class Stored:
    words: tuple[Word, ...]
    pair: tuple[Number, date]
    sizes: Mapping[int, float]
    anything: Mapping[str, Any]
    inner: Inner | None = None
    at: datetime | None = None
    count: int = 3
    text: str = "as it is"


STORED = Stored(
    (Word.ONE, Word.ONE),
    (Number.ONE, date(2026, 1, 3)),
    {1024: 1.0, 128: 2.5},
    {"list": [1, {"deep": None}]},
    at=datetime(2026, 1, 2, tzinfo=UTC),
)


def test_a_document_is_read_by_the_types_of_its_fields() -> None:
    assert canonical_json.read(Stored, canonical_json.plain(STORED)) == STORED


def test_reading_fills_in_defaults_and_leaves_out_unknown_keys() -> None:
    document = {"words": [], "pair": [1, "2026-01-03"], "sizes": {}, "anything": {}, "count": 4.0, "newer": True}
    assert canonical_json.read(Stored, document) == Stored((), (Number.ONE, date(2026, 1, 3)), {}, {}, count=4)


@pytest.mark.parametrize(
    ("document", "strict", "problem"),
    [
        ({"words": [], "sizes": {}}, False, "Stored needs pair, anything"),
        ({"words": [], "pair": [1, "2026-01-03"], "sizes": {}, "anything": {}, "newer": 1}, True, "has no newer"),
    ],
)
def test_reading_names_fields_that_are_missing_or_unknown(document: dict[str, Any], strict: bool, problem: str) -> None:
    with pytest.raises(KeyError, match=problem):
        canonical_json.read(Stored, document, strict=strict)
