"""Made-up people and purchases for the demo: pure functions of a seed and a moment, no database.

``wares`` is what the shops sell, ``people`` who shops, ``shopping`` when and what. ``analytics.demo`` stores it all.
"""
