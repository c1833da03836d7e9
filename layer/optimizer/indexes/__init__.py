"""Indexes of PostgreSQL, MySQL and MariaDB: which are redundant, unused, bloated, broken or missing, and what to do."""
