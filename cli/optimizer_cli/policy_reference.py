"""The policy's JSON Schema as a document for people: every key with its type, default and meaning."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from optimizer.core import figure

_HEAD = """# The policy

`optimizer policy reference` generates this page from the JSON Schema that checks every policy. {about}

The policy is also checked as a whole: keys that contradict each other are errors, and the message gives the path of
both.
"""
_BOUNDS = (("minimum", "at least"), ("maximum", "at most"))
_TABLE = "| key | value | default | meaning |\n| --- | --- | --- | --- |"


def markdown(schema: Mapping[str, Any]) -> str:
    """Return the reference in Markdown. `schema`: a JSON Schema (2020-12) of objects, lists and plain values."""
    parts = [_HEAD.format(about=schema["description"]), *_sections(schema, "")]
    return "\n".join(parts)


def _sections(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the object's own keys, then each object in it, then those in its lists."""
    properties: Mapping[str, Any] = schema["properties"]
    inner = {name: part for name, part in properties.items() if _object(part)}
    plain = [name for name in properties if name not in inner or "default" in properties[name] or _listed(inner[name])]
    title = path or "Top level"
    about = f"{schema['description']}\n\n" if path and "description" in schema else ""
    required = set(schema.get("required", ()))
    if plain:
        rows = "\n".join(_row(name, properties[name], required) for name in plain)
        yield f"## {title}\n{about}{_TABLE}\n{rows}\n"
    for name, part in inner.items():
        found = _object(part)
        if found:
            yield from _sections({"description": part.get("description", ""), **found}, _path(path, name, part))


def _object(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of an object, or of the objects in a list or with names; None for a plain value."""
    kind = part["items"] if _listed(part) else _named(part) or part
    return kind if "properties" in kind else None


def _named(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of the objects that have a name each; None for other values."""
    inner = part.get("additionalProperties")
    return inner if isinstance(inner, dict) and "properties" in inner else None


def _listed(part: Mapping[str, Any]) -> bool:
    return "items" in part


def _path(path: str, name: str, part: Mapping[str, Any]) -> str:
    return f"{path}.{name}".lstrip(".") + ("[]" if _listed(part) else ".NAME" if _named(part) else "")


def _row(name: str, part: Mapping[str, Any], required: set[str]) -> str:
    default = "required" if name in required else _value(part["default"]) if "default" in part else ""
    return f"| `{name}` | {_kind(part)} | {default} | {_cell(part.get('description', ''))} |"


def _kind(part: Mapping[str, Any]) -> str:
    if "const" in part:
        return _value(part["const"])
    if "$ref" in part:
        return f"object with keys of `{part['$ref'].rpartition('/')[2]}`"
    if "enum" in part:
        return ", ".join(_value(one) for one in part["enum"])
    kinds = part.get("type", "any")
    words = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if _listed(part):
        inner = _object(part)
        words = "list of objects, below" if inner else f"list of {_kind(part['items'])}"
    elif _named(part):
        words = "objects by name, below"
    bounds = [
        f"{word} {figure(part[key], 6)}"
        for key, word in (("minimum", "at least"), ("maximum", "at most"))
        if key in part
    ]
    return _cell(", ".join([words, *bounds]))


def _value(value: object) -> str:
    return _cell(f"`{json.dumps(value)}`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
