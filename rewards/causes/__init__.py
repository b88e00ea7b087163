"""Causes: points that members give become money at a stated value, and everybody sees what was paid on.

``giving`` records and cancels gifts, ``payouts`` writes down what was paid on, ``totals`` adds both up.
"""
