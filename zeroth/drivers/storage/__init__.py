"""Storage repositories of a host."""
