"""Statements with parameters where their constants were, made so that a server can prepare them."""

import pytest
from hypothesis import given, strategies as st
from optimizer.indexes.postgresql.generic_plan import is_planned, make_plannable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT extract($1 FROM at)", "SELECT pg_catalog.date_part($1, at)"),
        ("SELECT EXTRACT ( $12 from (a.b))", "SELECT pg_catalog.date_part($12, (a.b))"),
        ("a > now() - interval $3", "a > now() - CAST($3 AS interval)"),
        ("a + INTERVAL $3 day to second(3) > $4", "a + CAST($3 AS INTERVAL) > $4"),
        ("interval $3 day, b", "CAST($3 AS interval), b"),
        ("interval $3 AS day", "CAST($3 AS interval) AS day"),
        ("timestamp(3) with time zone $1", "CAST($1 AS timestamp(3) with time zone)"),
        ("a >= date $1 AND a < date $2", "a >= CAST($1 AS date) AND a < CAST($2 AS date)"),
        ("double  precision $1", "CAST($1 AS double  precision)"),
        # Where the grammar takes a parameter, nothing changes.
        ("a AT TIME ZONE $1", "a AT TIME ZONE $1"),
        ("a = $1::interval AND $2 IS JSON", "a = $1::interval AND $2 IS JSON"),
        ('"date $1"', '"date $1"'),
        ("t.date = $1", "t.date = $1"),
        ("update_date $1", "update_date $1"),
        ("extract(epoch FROM $1)", "extract(epoch FROM $1)"),
        ("SELECT date, $1", "SELECT date, $1"),
    ],
)
def test_a_parameter_stands_only_where_the_grammar_takes_one(text: str, expected: str) -> None:
    assert make_plannable(text) == expected


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        ("SELECT 1", True),
        (" (\n( select 1)", True),
        ("/* controller:orders */ UPDATE a SET b = $1", True),
        ("-- a\n/* b */ WITH c AS (SELECT) DELETE FROM d", True),
        ("merge INTO a", True),
        ("SELECTED", False),
        ("INSERT INTO a SELECT 1", False),
        ("/* SELECT */ VACUUM", False),
        ("-- SELECT", False),
        ("CALL p()", False),
        ("", False),
    ],
)
def test_statements_that_have_a_plan_are_told_by_their_first_word(text: str, planned: bool) -> None:
    assert is_planned(text) is planned


def test_comments_without_an_end_take_no_time() -> None:
    assert not is_planned("/**/" * 20_000 + "x")
    assert not is_planned("/*" * 50_000)


@given(st.text(alphabet=" (\n-/*$1SELECTinterval,'\""))
def test_any_text_is_taken_and_what_is_mended_once_stays(text: str) -> None:
    is_planned(text)
    assert make_plannable(make_plannable(text)) == make_plannable(text)
