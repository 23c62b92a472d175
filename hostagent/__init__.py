"""The host agent: the XenAPI, VMs, the store."""
