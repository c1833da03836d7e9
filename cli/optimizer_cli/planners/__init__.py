"""The JSON-lines form of each tuner's decision: parse, call the library, answer."""
