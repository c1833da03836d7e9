"""What looks back on all end-to-end tests comes last."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests that are marked so behind all others, in their own order."""
    items.sort(key=lambda item: item.get_closest_marker("looks_back") is not None)
