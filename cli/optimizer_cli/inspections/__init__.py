"""The inspections of `optimizer inspect`, a module each."""
