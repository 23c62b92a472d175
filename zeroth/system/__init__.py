"""The only door to the machine: processes, files, hardware facts, sizes."""
