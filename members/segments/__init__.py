"""Segments: what may be asked of a member, who is in which segment, and how that is kept true.

`fields` declares what is known of a member on this floor; `definition` parses and orders segments; `membership` writes
who is in; `refresh` does so for everybody or for a few; `lists` takes in files; `reach` says who can be written to.
"""
