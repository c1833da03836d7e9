"""All errors of a policy at once, each with its path and in plain words.

Only the code that stores a policy or starts a run imports this module: the schema library is slow to load.
"""

import difflib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from optimizer.core import OptimizerError, child_path, join_path, short_json
from optimizer.policy.consistency import consistency_errors
from optimizer.policy.errors import PolicyError
from optimizer.policy.model import Policy

_SCHEMA = Path(__file__).with_name("schema.json")
_TYPES = {
    "object": "an object {...}",
    "array": "a list [...]",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_PATTERNS = {
    "first": "a day YYYY-MM-DD",
    "last": "a day YYYY-MM-DD",
    "from": "a time YYYY-MM-DDTHH:MM, with or without an offset such as +01:00",
    "on": "a day YYYY-MM-DD",
    "country": "two capital letters such as DE",
    "start": "a time HH:MM from 00:00 to 23:59",
    "until": "a time HH:MM from 00:00 to 24:00",
    "alias": "the name of an alias: letters, digits, _ and -, not only digits",
    "ca_key": "a key that begins with policy/, or empty",
    "name": "a name of at most 64 letters, digits and ., _ or -",
}


_MESSAGES = {
    "const": "must be {wanted}, not {got}.",
    "minimum": "must be at least {wanted}, not {got}.",
    "maximum": "must be at most {wanted}, not {got}.",
    "minItems": "must not be empty.",
    "minProperties": "must not be empty.",
    "minLength": "must not be empty.",
    "maxLength": "must not be longer than {wanted} characters.",
    "uniqueItems": "contains the same value twice.",
}


class InvalidPolicy(OptimizerError, ValueError):
    """The policy cannot be used; `errors` lists everything that is wrong with it."""

    def __init__(self, errors: list[PolicyError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = errors


def read_policy(text: str | bytes, tag: tuple[str, str] | None = None) -> Policy:
    """Read the policy in a JSON text. Raise InvalidPolicy with every error.

    `tag` is the key and the value of the tag that the stack's rights are bound to: functions need it in addition to the
    policy's own tags, and a policy that names no tags means it alone.
    """
    document, found = parse_json(text)
    found = found or find_errors(document)
    if tag and not found:
        found = _other_tag(document, tag)
    if found:
        raise InvalidPolicy(found)
    if tag:
        functions = document.get("functions", {})
        document = {**document, "functions": {**functions, "tags": {**functions.get("tags", {}), tag[0]: tag[1]}}}
    return Policy.from_document(document)


def _other_tag(document: Any, tag: tuple[str, str]) -> list[PolicyError]:
    key, wanted = tag
    got = document.get("functions", {}).get("tags", {}).get(key, wanted)
    if got == wanted:
        return []
    path = child_path(child_path(child_path("", "functions"), "tags"), key)
    return [
        PolicyError(
            path,
            f"must be {short_json(wanted)}, not {short_json(got)}: the stack (TagKey, TagValue) may change no others.",
        )
    ]


def parse_json(text: str | bytes) -> tuple[Any, list[PolicyError]]:
    """Return the document in a JSON text, and the errors of the text itself: syntax with line and column, duplicate
    keys, NaN."""
    wrong: list[PolicyError] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for name, value in items:
            if name in seen:
                wrong.append(PolicyError(name, "is written twice in the same object; keep one of them."))
            seen[name] = value
        return seen

    def constant(name: str) -> float:
        wrong.append(PolicyError("", f"{name} is not a JSON number."))
        return 0.0

    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        return json.loads(decoded, object_pairs_hook=pairs, parse_constant=constant), wrong
    except UnicodeDecodeError as error:
        return None, [PolicyError("", f"The file is not UTF-8 text: byte {error.start} cannot be read.")]
    except json.JSONDecodeError as error:
        return None, [PolicyError("", f"Not JSON: line {error.lineno}, column {error.colno}: {error.msg}.")]
    except RecursionError:
        return None, [PolicyError("", "The objects and lists in it are nested too deeply.")]
    except ValueError as error:
        # json.loads rejects whole numbers of thousands of digits.
        return None, [PolicyError("", f"A number in it cannot be read: {error}.")]


def find_errors(document: Any) -> list[PolicyError]:
    """Return all errors of a parsed document in the order of their paths; an empty list if it is valid."""
    try:
        found = [explained for error in _validator().iter_errors(document) for explained in _explain(error)]
        if isinstance(document, dict):
            found += consistency_errors(document)
            if "overrides" in document:
                from optimizer.policy.override_errors import override_errors

                found += override_errors(document)
    except RecursionError:
        return [PolicyError("", "The objects and lists in it are nested too deeply.")]
    return sorted(set(found), key=lambda error: (error.path, error.message))


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of the policy (Draft 2020-12)."""
    return dict(cast("Any", _validator().schema))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def _explain(error: ValidationError) -> Iterator[PolicyError]:
    path, kind = join_path(error.absolute_path), str(error.validator)
    wanted: Any = error.validator_value
    instance: Any = error.instance
    if kind == "additionalProperties" and wanted is False:
        known: list[str] = list(cast("Any", error.schema)["properties"])
        for key in instance:
            if key not in known:
                yield PolicyError(child_path(path, key), _unknown(key, known))
    elif kind == "required":
        yield from (PolicyError(child_path(path, key), "is missing.") for key in wanted if key not in instance)
    else:
        name = path.rsplit(".", 1)[-1]
        # The end of an event is a moment like its start, while that of a window is a time of day.
        name = "from" if name == "until" and ".events[" in path else name
        yield PolicyError(path, _message(kind, wanted, instance, name))


def _message(kind: str, wanted: Any, instance: Any, name: str) -> str:
    got = short_json(instance)
    if kind == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"must be {' or '.join(_TYPES[kind] for kind in kinds)}, not {got}."
    if kind == "enum":
        near = difflib.get_close_matches(str(instance), [choice for choice in wanted if choice], 1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        return f"must be one of {', '.join(json.dumps(choice) for choice in wanted)}, not {got}.{hint}"
    if kind in ("pattern", "maxLength") and name in _PATTERNS:
        return f"must be {_PATTERNS[name]}, not {got}."
    return _MESSAGES.get(kind, "does not fit: {kind} {wanted}.").format(kind=kind, wanted=short_json(wanted), got=got)


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"is not a known key. Did you mean {near[0]}?" if near else f"is not a known key; known: {', '.join(known)}."
