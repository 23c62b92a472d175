"""What helps others to help: logs and state of a host or an installer in one file, without its secrets."""
