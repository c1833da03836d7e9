"""Which functions the layer answers for, and why it cannot answer for others, read from their configuration."""

from typing import Any

import pytest
from optimizer.core.warm_layer import MOST_LAYERS, SCRIPT, VARIABLE, is_wrapped, ping_advice, wrapping_obstacle

LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:{}:7"


def configuration(runtime: str = "python3.13", *layers: str, wrapper: str = "", **more: Any) -> dict[str, Any]:
    """Return the fields of GetFunction's answer that matter."""
    variables = {VARIABLE: wrapper} if wrapper else {}
    return {
        "Runtime": runtime,
        "PackageType": "Zip",
        "Environment": {"Variables": variables},
        "Layers": [{"Arn": LAYER.format(name), "CodeSize": 1} for name in layers],
        **more,
    }


@pytest.mark.parametrize("runtime", ["python3.11", "python3.13", "nodejs18.x", "nodejs24.x"])
def test_function_with_layer_and_variable_is_wrapped(runtime: str) -> None:
    ready = configuration(runtime, "tracing", "optimizer-warmable", wrapper=SCRIPT)
    assert is_wrapped(ready)
    assert wrapping_obstacle(ready) == ""


@pytest.mark.parametrize(
    "other",
    [
        configuration(wrapper=SCRIPT),
        configuration("python3.13", "optimizer-warmable"),
        configuration("python3.13", "optimizer-warmable", wrapper="/opt/otel-handler"),
        configuration("python3.13", "not-optimizer-warmable", wrapper=SCRIPT),
        {"Runtime": "nodejs22.x"},
        {"Runtime": "python3.13", "Environment": {"Error": {"ErrorCode": "AccessDeniedException"}}},
    ],
)
def test_half_of_the_layer_does_not_wrap(other: dict[str, Any]) -> None:
    assert not is_wrapped(other)


@pytest.mark.parametrize("runtime", ["python3.11", "python3.14", "nodejs18.x", "nodejs22.x"])
def test_python_and_node_functions_can_be_wrapped(runtime: str) -> None:
    assert wrapping_obstacle(configuration(runtime, "tracing")) == ""
    assert wrapping_obstacle({"Runtime": runtime}) == ""


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ({"PackageType": "Image"}, "container image"),
        (configuration(wrapper="/opt/otel-handler"), "taken by /opt/otel-handler"),
        (configuration("python3.13", *"abcde"), f"5 layers, and Lambda allows {MOST_LAYERS}"),
        (configuration(Environment={"Error": {"ErrorCode": "AccessDeniedException"}}), "cannot be read"),
        (configuration("java21"), "for java21, switch on SnapStart"),
        (configuration("java21", SnapStart={"ApplyOn": "None"}), "switch on SnapStart"),
        (configuration("java21", SnapStart={"ApplyOn": "PublishedVersions"}), "needs no layer"),
        (configuration("python3.10"), "older than python3.11"),
        (configuration("nodejs16.x"), "older than nodejs18.x"),
        (configuration("provided.al2023"), "runs on provided.al2023"),
        (configuration(""), "an unknown runtime"),
    ],
)
def test_function_that_cannot_be_wrapped_has_a_reason(refused: dict[str, Any], words: str) -> None:
    assert words in wrapping_obstacle(refused)


def test_fifth_layer_may_be_the_wrapper_itself() -> None:
    assert wrapping_obstacle(configuration("python3.13", *"abcd", "optimizer-warmable")) == ""


@pytest.mark.parametrize(
    ("untagged", "advice"),
    [
        (configuration(), "add the layer optimizer-warmable or decorate its handler, then set the tag"),
        (configuration("python3.13", "optimizer-warmable", wrapper=SCRIPT), "set the tag; its layer answers pings"),
        (
            configuration(wrapper="/opt/otel-handler"),
            f"decorate its handler, then set the tag (no layer: its variable {VARIABLE} is taken by /opt/otel-handler)",
        ),
        (
            configuration("java21"),
            "the layer wraps Python and Node.js; for java21, switch on SnapStart for published versions",
        ),
    ],
)
def test_advice_names_the_layer_where_it_answers(untagged: dict[str, Any], advice: str) -> None:
    assert ping_advice(untagged) == advice
