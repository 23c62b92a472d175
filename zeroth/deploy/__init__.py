"""Disk layout, boot environment, journal: shared by the installer and the agent."""
