"""The command that XNAT's Container Service runs: what its container does, and command.json, checked and made a label.

What the service does with them is in xnat-container-command.md; its requirements CJ, DF and RS are the rules here.
"""
