"""Carrying out changes of indexes on a server: one statement at a time, started and polled, cleaned up after."""
