"""Run functions in execution environments as Lambda starts them, each a process that speaks the Runtime API."""
