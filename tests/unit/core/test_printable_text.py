"""Test that text of others cannot control, break or hide anything where it is shown."""

import json
import re
import unicodedata

import pytest
from hypothesis import given, strategies as st
from optimizer.core.printable_text import harmless, printable

# Every class of Unicode is drawn as often as every other.
CATEGORIES = ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf")
MORE = ("Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn")
ANY_CLASS = st.one_of([st.characters(categories=[name]) for name in (*CATEGORIES, *MORE)])
NAMES = st.lists(
    ANY_CLASS | st.sampled_from(["https://evil.example/", "www.evil.example", "\x1b[8m", "\r\n", "\u202e"])
)


@given(NAMES.map("".join))
def test_every_character_of_the_result_can_be_printed(name: str) -> None:
    for shown in (printable(name), harmless(name)):
        assert shown.isprintable()
        assert not any(unicodedata.category(character)[0] in "CZ" and character != " " for character in shown)
        shown.encode()


@given(NAMES.map("".join))
def test_nothing_looks_like_a_link(name: str) -> None:
    assert not re.search(r"://|\bwww\.\S|mailto:", harmless(name), re.IGNORECASE)


@given(st.dictionaries(st.text(), NAMES.map("".join)))
def test_json_keeps_its_meaning(document: dict[str, str]) -> None:
    text = json.dumps(document, ensure_ascii=False)
    # In JSON two halves of a character side by side are that character.
    assert json.loads(printable(text)) == json.loads(json.dumps(document))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("orders: memory 512 -> 768 MB", "orders: memory 512 -> 768 MB"),
        ("Größe, 大小, цена, \N{RIGHTWARDS ARROW}", "Größe, 大小, цена, \N{RIGHTWARDS ARROW}"),
        ("a\r\nBcc: b\u2028c", "a\\u000d\\u000aBcc: b\\u2028c"),
        ("\x1b]52;c;eA==\x07", "\\u001b]52;c;eA==\\u0007"),
        ("\x9b8m", "\\u009b8m"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("zero\u200bwidth\u3164filler", "zero\\u200bwidth\\u3164filler"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("\ud800", "\\ud800"),
        ("no\u00a0break", "no\\u00a0break"),
        ("https://evil.example/approve?run=1", "https[:]//evil[.]example/approve?run=1"),
        ("HTTPS://x", "HTTPS[:]//x"),
        ("www.evil.example", "www[.]evil.example"),
        ("evil.example/approve", "evil[.]example/approve"),
        ("evil.example:8080", "evil[.]example:8080"),
        ("mailto:a@b.c", "mailto[:]a@b.c"),
        (
            "shop/public.orders.orders_idx: 1.5/2 too little data: see",
            "shop/public.orders.orders_idx: 1.5/2 too little data: see",
        ),
    ],
)
def test_text_is_shown_so(name: str, shown: str) -> None:
    assert harmless(name) == shown
    assert harmless(shown) == shown
