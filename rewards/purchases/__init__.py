"""Purchases from a CSV file: read as a stream and taken in, in constant memory.

``surveying`` looks through the whole file first (is it readable to its end, do the rows of each purchase stand
together?); ``reading`` gives the purchases one by one, each refused row with its line number and what to do about it;
``importing`` records them. All but the last is pure: no database and no clock.
"""
