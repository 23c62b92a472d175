"""Other installers' answer files, read into the shape of HostSpec.

What has a counterpart is carried over; what has none is listed, each with its place and the reason, never passed over
in silence (:attr:`zeroth.spec.problems.Severity.LEFT_OUT`).
"""
