"""Reading PostgreSQL and detecting what its indexes need."""
