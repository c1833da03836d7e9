"""The `optimizer` command."""
