"""Properties of duplicate and redundant indexes of MySQL and MariaDB, for any table."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings, strategies as st
from optimizer.indexes.model.catalog import (
    Catalog,
    CatalogServer,
    Column,
    Constraint,
    Engine,
    ForeignKey,
    Index,
    KeyPart,
    Table,
)
from optimizer.indexes.model.finding import Action
from optimizer.indexes.mysql.cover import serves_foreign_key
from optimizer.indexes.mysql.redundant import find_redundant

from tests.helpers.examples import examples

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = "abcd"
TABLE = Table("s", "t", storage_engine="InnoDB", columns=tuple(Column(name, "varchar(50)", False) for name in NAMES))

keys = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(
                KeyPart,
                text=st.just(name),
                column=st.just(name),
                descending=st.booleans(),
                prefix_length=st.sampled_from([None, None, None, 5, 9]),
            )
            for name in names
        )
    )
)
indexes = st.lists(
    st.builds(
        Index,
        schema=st.just("s"),
        table=st.just("t"),
        name=st.just(""),
        method=st.sampled_from(["btree", "btree", "btree", "btree", "fulltext"]),
        keys=keys,
        definition=st.just(""),
        is_unique=st.booleans(),
        is_visible=st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=7,
)
foreign_keys = st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True), max_size=2)
engines = st.sampled_from([Engine.MYSQL, Engine.MARIADB])


def catalog(engine: Engine, made: list[Index], children: list[list[str]]) -> Catalog:
    named = tuple(
        replace(
            index,
            name=f"i{number}",
            is_unique=index.is_unique and index.method == "btree",
            constraint=Constraint.UNIQUE if index.is_unique and index.method == "btree" else None,
        )
        for number, index in enumerate(made)
    )
    of_foreign = tuple(
        ForeignKey("s", "t", f"f{n}", tuple(columns), "s", "p", tuple(columns)) for n, columns in enumerate(children)
    )
    return Catalog(CatalogServer(engine, (9, 0, 0), "s", "n", NOW), (TABLE,), named, of_foreign)


def left(before: Catalog) -> Catalog:
    gone = {item.index for item in find_redundant(before) if item.action is not Action.NONE}
    return replace(before, indexes=tuple(index for index in before.indexes if index.name not in gone))


def reads(index: Index) -> set[tuple[tuple[str, int | None, bool], ...]]:
    """Return the prefixes by which an index can be read, in both directions, with every shorter part of a column."""
    found: set[tuple[tuple[str, int | None, bool], ...]] = set()
    if not index.is_visible:
        return found
    for flip in (False, True):
        prefixes: list[tuple[tuple[str, int | None, bool], ...]] = [()]
        for key in index.keys:
            lengths = {None: [None, 9, 5], 9: [9, 5], 5: [5]}[key.prefix_length]
            part = [(key.text, length, key.descending != flip) for length in lengths]
            prefixes = [(*prefix, one) for prefix in prefixes for one in part]
            found.update(prefixes)
    return found


def all_reads(of: Catalog) -> set[tuple[tuple[str, int | None, bool], ...]]:
    return set().union(*(reads(index) for index in of.indexes if index.method == "btree"))


def searches(of: Catalog) -> set[frozenset[str]]:
    """Return the sets of columns that can be searched for words."""
    words = [index for index in of.indexes if index.method == "fulltext" and index.is_visible]
    return {frozenset(key.text for key in index.keys) for index in words}


def forbids(unique: Index, other: Index) -> bool:
    """Return True if `unique` forbids all rows that `other` forbids, because it compares less of the same columns."""
    most = {key.text: key.prefix_length or 99 for key in other.keys}
    return all((key.prefix_length or 99) <= most.get(key.text, -1) for key in unique.keys)


@settings(max_examples=examples(100), deadline=None)
@given(engines, indexes, foreign_keys)
def test_dropping_redundant_indexes_loses_nothing(engine: Engine, made: list[Index], children: list[list[str]]) -> None:
    before = catalog(engine, made, children)
    after = left(before)
    assert all_reads(after) == all_reads(before)
    for index in before.indexes:
        if index.is_unique:
            assert any(other.is_unique and forbids(other, index) for other in after.indexes)
    assert searches(after) == searches(before)
    for key in before.foreign_keys:
        served = [any(serves_foreign_key(index, key.columns, engine) for index in of.indexes) for of in (before, after)]
        assert served[0] == served[1]


@settings(max_examples=examples(100), deadline=None)
@given(engines, indexes, foreign_keys)
def test_after_the_drops_no_index_is_redundant(engine: Engine, made: list[Index], children: list[list[str]]) -> None:
    once = left(catalog(engine, made, children))
    assert left(once) == once


@settings(max_examples=examples(100), deadline=None)
@given(engines, indexes)
def test_every_redundant_index_is_found(engine: Engine, made: list[Index]) -> None:
    after = left(catalog(engine, made, []))
    for index in after.indexes:
        if index.is_unique or index.method != "btree":
            continue
        others = [other for other in after.indexes if other is not index and other.method == "btree"]
        whole = reads(replace(index, is_visible=True))
        # One index that serves every read of it would make it superfluous.
        assert not any(whole <= reads(other) for other in others)
