"""The host itself: its records kept true from the machine, and switching it off."""
