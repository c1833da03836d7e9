"""The back-tests: each reads recorded history, plays it and shows the result."""
