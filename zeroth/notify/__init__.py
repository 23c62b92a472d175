"""Telling others how work goes: the events of :mod:`zeroth.progress`, by HTTP and by syslog, without ever waiting."""
