"""Experiments: who is held out, who gets which variant, and what came of it."""
