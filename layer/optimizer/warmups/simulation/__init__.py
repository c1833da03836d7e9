"""Play plans against recorded calls, one by one: for back-tests and for the evidence of past days."""
