"""The next step in a change's life, for drivers without the state machine."""

# By the step and its answer, as change.asl.json has it; nothing follows on the answers that are not here.
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
