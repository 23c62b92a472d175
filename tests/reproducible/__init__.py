"""Two builds that have nothing in common but their inputs, and what differs between the results."""
