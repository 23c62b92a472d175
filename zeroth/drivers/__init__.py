"""Drivers observe, plan and apply one aspect of a host (network, storage, ...)."""
