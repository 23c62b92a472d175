"""Tools for the people who develop zeroth."""
