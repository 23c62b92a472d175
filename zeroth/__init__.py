"""zeroth builds, installs and runs Xen hosts.

This package is the core: every room may import it, and it imports none of them.
"""

__version__ = "0.1.0"
