"""The checks and trials of `optimizer doctor`."""
