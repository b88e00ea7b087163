"""What a message says to one member: staff's Liquid texts, a member's facts, the e-mail's layout, and what is wrong
with them. ``context.load`` reads a batch, ``render.render`` writes one message; neither sends anything.
"""
