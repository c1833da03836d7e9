"""What people are told: the report of a run, the outcome of a change."""
