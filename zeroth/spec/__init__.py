"""HostSpec: what a host shall be, and the languages in which people write it."""
