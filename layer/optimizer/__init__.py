"""The library that every Lambda of the optimizer shares: pure decisions, and thin adapters around them."""
