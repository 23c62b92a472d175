"""The installer's screens: whoever stands at the machine is asked for what no answer says.

Nothing of this package is loaded where an answer is found: textual takes a second.
"""
