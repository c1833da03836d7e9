"""Test how statements from pg_stat_statements are made plannable."""

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
def test_parameters_stand_only_where_the_grammar_accepts_them(text: str, expected: str) -> None:
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
def test_first_word_tells_if_a_statement_has_a_plan(text: str, planned: bool) -> None:
    assert is_planned(text) is planned


def test_unclosed_comments_take_no_time() -> None:
    assert not is_planned("/**/" * 20_000 + "x")
    assert not is_planned("/*" * 50_000)


@given(st.text(alphabet=" (\n-/*$1SELECTinterval,'\""))
def test_make_plannable_accepts_any_text_and_is_idempotent(text: str) -> None:
    is_planned(text)
    assert make_plannable(make_plannable(text)) == make_plannable(text)
