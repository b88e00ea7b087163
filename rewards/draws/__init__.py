"""Draws that anyone can recompute: entries, a seed promised and revealed, winners."""
