"""Asking a real cluster what Microsoft's pages leave open, in a scratch database that is left as it was found.

A ``Probe`` is one such question: what is looked at, what is sent, and how the answers are judged. ``furniture`` lists
what is made for all of them; ``run`` makes it, asks, and takes it away again. Nothing here decides what kxrecon
does: that is for whoever reads the report.
"""
