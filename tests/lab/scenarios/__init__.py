"""The scenarios, a module for each subject. Every module here is loaded by :func:`tests.lab.scenario.every`."""
