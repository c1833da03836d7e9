"""Name the next step in the life of a change, for code that drives it without the state machine."""

# The next step by the step and its outcome, as in change.asl.json; nothing follows outcomes that are not here.
NEXT_STEP = {
    ("apply", "pending"): "poll",
    ("poll", "pending"): "poll",
    ("apply", "applied"): "verify",
    ("poll", "applied"): "verify",
    ("poll", "failed"): "revert",
    ("verify", "watch"): "verify",
    ("verify", "keep"): "keep",
    ("verify", "revert"): "revert",
    ("keep", "pending"): "keep",
    ("revert", "pending"): "revert",
}
