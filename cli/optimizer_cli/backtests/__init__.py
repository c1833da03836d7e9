"""The back-tests: each reads the past, plays it and shows what came of it."""
