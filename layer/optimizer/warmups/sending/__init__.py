"""Send pings, within what callers leave free."""
