"""``python -m serving doctor``: what a bug report needs, and what is wrong, with remedies.

Nothing is started, written or changed: what is not there is said to be so.
"""
