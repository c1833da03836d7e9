"""Names of optimizer.core.warm_layer."""

from optimizer.core import is_wrapped

__all__ = ["is_wrapped"]
