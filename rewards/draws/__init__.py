"""Draws: entries with chances, a seed promised before anybody enters, winners that anyone can recompute.

``entries`` lets members in and out, ``opening`` and ``holding`` take a draw from one state to the next, ``lottery`` is
the pure algorithm that docs/draws.md describes, ``sealing`` keeps the seed from everybody until then.
"""
