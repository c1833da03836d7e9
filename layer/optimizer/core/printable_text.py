"""Text that others chose, such as the name of an index, as it may stand in a mail, a page or a terminal. Pure.

Such a text can hold commands for a terminal, line breaks, marks that reverse the direction of the text around it,
characters that nobody sees, and links (CWE-150, CWE-93, CWE-451; Unicode Technical Report 36).
"""

import re
import unicodedata

# Control, format (also of direction), surrogate, private and unassigned characters, separators of lines and paragraphs.
_NOT_PRINTABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Letters and marks without a glyph of their own, and variation selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SCHEME = re.compile(r":(?=//)|(?<=\bmailto):", re.IGNORECASE)
# A dot in front of a last label, where a path, a port or a question follows or the name begins with www.
_HOST = re.compile(r"(?<=\bwww)\.(?=\S)|(?<=[^\W_])\.(?=[A-Za-z]{2,63}(?:[/?#]|:\d))", re.IGNORECASE)


def printable(text: str) -> str:
    r"""Return the text in one line, with `\u001b` and the like for characters that cannot be printed or seen.

    In a JSON document the escapes mean the characters.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def harmless(text: str) -> str:
    """Return the text in one printable line in which no mail program or terminal finds a link: `https[:]//...`."""
    return _HOST.sub("[.]", _SCHEME.sub("[:]", printable(text)))


def _shown(character: str) -> str:
    if character == " ":
        return character
    category = unicodedata.category(character)
    if category not in _NOT_PRINTABLE and category != "Zs" and not _UNSEEN.match(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
