"""A whole AWS account on 127.0.0.1, with functions, traffic and curves, for the demo and the tests."""
