"""Figures: what building, installing and starting cost, as ratios where there is something to compare with.

``python -m tests.bench`` prints tables, ``--json`` the same as data. One run each on a machine that may be shared: the
ratios say more than the seconds.
"""
