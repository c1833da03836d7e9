"""Read from a function's configuration if the layer optimizer-warmable answers its pings, or could. Pure."""

import re
from collections.abc import Mapping
from typing import Any

LAYER_NAME = "optimizer-warmable"
VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"
SCRIPT = "/opt/optimizer-warmable"
MOST_LAYERS = 5
# The layer needs these versions of a runtime, or later ones.
_OLDEST = {"python": (3, 11), "nodejs": (18, 0)}
_RUNTIME = re.compile(r"(python|nodejs)(\d+)\.(\d+|x)")


def is_wrapped(configuration: Mapping[str, Any]) -> bool:
    """Return True if the function or version has the layer and its wrapper variable names the layer's script.

    configuration: as GetFunction and GetFunctionConfiguration return it. False also means that the configuration does
    not tell: a decorated handler answers pings, too.
    """
    return _variables(configuration).get(VARIABLE) == SCRIPT and LAYER_NAME in _layer_names(configuration)


def wrapping_obstacle(configuration: Mapping[str, Any]) -> str:
    """Return the reason that the layer cannot answer the pings of a function; empty if it does or could."""
    if is_wrapped(configuration):
        return ""
    if configuration.get("PackageType", "Zip") != "Zip":
        return "the function is a container image, which has no layers"
    runtime = str(configuration.get("Runtime", ""))
    if obstacle := _runtime_obstacle(runtime, configuration):
        return obstacle
    if "Error" in (configuration.get("Environment") or {}):
        return f"its environment variables cannot be read, so {VARIABLE} may be taken"
    taken = _variables(configuration).get(VARIABLE, "")
    if taken not in ("", SCRIPT):
        return f"its variable {VARIABLE} is taken by {taken}"
    names = _layer_names(configuration)
    if LAYER_NAME not in names and len(names) >= MOST_LAYERS:
        return f"it has {len(names)} layers, and Lambda allows {MOST_LAYERS}"
    return ""


def ping_advice(configuration: Mapping[str, Any]) -> str:
    """Return what its owner does so that a function without the tag receives pings."""
    if is_wrapped(configuration):
        return "set the tag; its layer answers pings"
    obstacle = wrapping_obstacle(configuration)
    if not obstacle:
        return f"add the layer {LAYER_NAME} or decorate its handler, then set the tag"
    if str(configuration.get("Runtime", "")).startswith("java"):
        return obstacle
    return f"decorate its handler, then set the tag (no layer: {obstacle})"


def _runtime_obstacle(runtime: str, configuration: Mapping[str, Any]) -> str:
    if runtime.startswith("java"):
        if (configuration.get("SnapStart") or {}).get("ApplyOn") == "PublishedVersions":
            return f"{runtime} with SnapStart restores its environments from a snapshot, so it needs no layer"
        return f"the layer wraps Python and Node.js; for {runtime}, switch on SnapStart for published versions"
    found = _RUNTIME.fullmatch(runtime)
    if found is None:
        return f"the layer wraps Python and Node.js, and the function runs on {runtime or 'an unknown runtime'}"
    language, major, minor = found.groups()
    oldest = _OLDEST[language]
    if (int(major), 0 if minor == "x" else int(minor)) < oldest:
        first = f"{language}{oldest[0]}.{'x' if minor == 'x' else oldest[1]}"
        return f"{runtime} is older than {first}, the first version that the layer wraps"
    return ""


def _variables(configuration: Mapping[str, Any]) -> Mapping[str, str]:
    return (configuration.get("Environment") or {}).get("Variables") or {}


def _layer_names(configuration: Mapping[str, Any]) -> list[str]:
    # arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION
    return [str(layer["Arn"]).split(":")[6] for layer in configuration.get("Layers") or ()]
