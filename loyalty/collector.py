"""How a web process looks for garbage: once at its start, and seldom after. Called by ``wsgi``, and by the floors of
``bench`` so that both sides of a ratio are served alike.
"""

import gc


def settle() -> None:
    """Keep what start-up made out of every later collection, and collect less often.

    A full collection of it would hold up every request of the process for a tenth of a second. A request leaves some
    hundreds of objects behind, nearly all freed by their counts: to look for cycles after each few hundred, as Python
    does unless told otherwise, is a tenth of a purchase's work.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
