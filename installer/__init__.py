"""The installer: discover, plan, apply, report."""
