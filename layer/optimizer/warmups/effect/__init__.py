"""Measure the effect of pings afterwards, from the lines of callers."""
