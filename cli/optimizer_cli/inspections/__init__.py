"""What `optimizer inspect` looks at, a module each."""
