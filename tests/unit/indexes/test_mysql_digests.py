"""Columns that normalised statements of MySQL and MariaDB compare and sort by."""

import pytest
from optimizer.indexes.mysql.create_table import UnreadableDefinition, read_index_clauses
from optimizer.indexes.mysql.digests import TableQuery, read_query
from optimizer.indexes.mysql.hints import named_in_hints

COLUMNS = ("id", "a", "b", "c d", "status", "é")


def asked(table: str = "t", **other: object) -> TableQuery:
    given = {"equal": (), "between": (), "sorted_by": (), "has_limit": False, "counts_rows": True} | other
    return TableQuery(table=table, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM `t` WHERE `a` = ?", asked(equal=("a",))),
        ("SELECT * FROM `s` . `t` AS `x` WHERE `x` . `a` = ? AND `x` . `b` > ?", asked(equal=("a",), between=("b",))),
        (
            "SELECT * FROM `t` WHERE `a` IN (...) AND `b` BETWEEN ? AND ? AND `c d` = ?",
            asked(equal=("a", "c d"), between=("b",)),
        ),
        ("SELECT * FROM `t` WHERE STATUS = ? AND `é` IS NULL", asked(equal=("status", "é"))),
        ("SELECT * FROM `t` WHERE `a` = `b` AND `id` <=> ?", asked(equal=("id",))),
        ("SELECT * FROM `t` WHERE `lower` ( `a` ) = ? AND `b` != ? AND `a` LIKE ?", asked()),
        ("SELECT * FROM `t` WHERE `a` > NOW ( ) - INTERVAL ? DAY", asked(between=("a",))),
        (
            "SELECT * FROM `t` WHERE `a` = ? ORDER BY `b` DESC , `id` DESC LIMIT ?",
            asked(equal=("a",), sorted_by=("b", "id"), has_limit=True, counts_rows=False),
        ),
        ("SELECT * FROM `t` WHERE `a` = ? ORDER BY `b` DESC , `id`", asked(equal=("a",))),
        ("SELECT COUNT ( * ) FROM `t` WHERE `a` = ? GROUP BY `b`", asked(equal=("a",), counts_rows=False)),
        ("UPDATE `t` SET `b` = ? WHERE `a` = ?", asked(equal=("a",))),
        ("DELETE FROM `t` WHERE `a` < ?", asked(between=("a",))),
        ("SELECT * FROM `t` WHERE `a` = ? FOR UPDATE", asked(equal=("a",))),
    ],
)
def test_query_on_one_table_is_read(text: str, expected: TableQuery) -> None:
    assert read_query(text, COLUMNS) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM `t` JOIN `u` ON `t` . `a` = `u` . `a` WHERE `b` = ?",
        "SELECT * FROM `t` , `u` WHERE `a` = ?",
        "SELECT * FROM `t` WHERE `a` = ? OR `b` = ?",
        "SELECT * FROM ( SELECT * FROM `t` ) `x` WHERE `a` = ?",
        "SELECT * FROM `t` WHERE `a` IN ( SELECT `a` FROM `u` )",
        "SELECT `a` FROM `t` WHERE `a` = ? UNION SELECT `b` FROM `t`",
        "SELECT * FROM `t`",
        "INSERT INTO `t` VALUES (...)",
        "SELECT ?",
        "",
    ],
)
def test_complex_statement_is_not_read(text: str) -> None:
    assert read_query(text, COLUMNS) is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT * FROM `t` FORCE INDEX ( `One` , `two``s` ) WHERE `a` = ?", {"one", "two`s"}),
        ("SELECT * FROM t use key for order by (k1) ignore index for join (k2)", {"k1", "k2"}),
        ("SELECT /*+ INDEX ( `t` `k1` ) NO_INDEX(t@q k2, k3) */ * FROM `t`", {"t", "k1", "q", "k2", "k3"}),
        ("SELECT * FROM `t` USE INDEX ( ) WHERE `a` = ?", set()),
        ("CREATE INDEX k ON t (a)", set()),
        ("SELECT `index` (`a`) FROM `t`", set()),
    ],
)
def test_index_names_in_hints_are_found(text: str, names: set[str]) -> None:
    assert named_in_hints(text) == names


def test_index_clauses_of_a_misleading_definition_are_read() -> None:
    text = """CREATE TABLE `t` (
  `a` int DEFAULT NULL COMMENT 'it''s, KEY `x` (`y`),\\'',
  `KEY ``b` varchar(9) DEFAULT ',\\n KEY `z` (`a`)',
  PRIMARY KEY (`a`),
  UNIQUE KEY `We``i,(rd` (`KEY ``b`(3) DESC) COMMENT 'a) b, (c' /*!80000 INVISIBLE */,
  KEY `fn` ((lower(`a`)),(cast(_utf8mb4'o\\'x,' as char(3) charset utf8mb4))),
  CONSTRAINT `KEY` FOREIGN KEY (`a`) REFERENCES `p` (`id`)
) ENGINE=InnoDB COMMENT=', KEY `no` (`a`)'
/*!50100 PARTITION BY HASH (`a`) PARTITIONS 2 */"""
    clauses = read_index_clauses(text)
    assert [(clause.shape, clause.is_visible) for clause in clauses.values()][1] == (
        "(`KEY ``b`(3) DESC) COMMENT 'a) b, (c'",
        False,
    )
    assert {name: clause.text for name, clause in clauses.items()} == {
        "PRIMARY": "PRIMARY KEY (`a`)",
        "We`i,(rd": "UNIQUE KEY `We``i,(rd` (`KEY ``b`(3) DESC) COMMENT 'a) b, (c' /*!80000 INVISIBLE */",
        "fn": "KEY `fn` ((lower(`a`)),(cast(_utf8mb4'o\\'x,' as char(3) charset utf8mb4)))",
    }


def test_words_in_a_comment_neither_hide_nor_time_an_index() -> None:
    hidden = "KEY `a` (`WITHOUT OVERLAPS`) COMMENT 'a IGNORED b' IGNORED"
    text = f"CREATE TABLE `t` (\n  {hidden},\n  KEY `b` (`c`) COMMENT 'x IGNORED'\n)"
    first, second = read_index_clauses(text).values()
    assert (first.shape, first.is_visible) == ("(`WITHOUT OVERLAPS`) COMMENT 'a IGNORED b'", False)
    assert (second.shape, second.is_visible) == ("(`c`) COMMENT 'x IGNORED'", True)
    assert not first.has_period
    timed = "CREATE TABLE `t` (\n  UNIQUE KEY `a` (`b`,`p` WITHOUT OVERLAPS)\n)"
    assert read_index_clauses(timed)["a"].has_period


@pytest.mark.parametrize(
    "text", ["CREATE TABLE `t", "CREATE TABLE `t` (`a` int DEFAULT 'x", "CREATE TABLE `t` (`a` int", ""]
)
def test_definition_that_ends_too_early_is_not_guessed(text: str) -> None:
    with pytest.raises(UnreadableDefinition):
        read_index_clauses(text)
