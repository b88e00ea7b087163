"""The WSGI entry point that granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")

application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  (every view is imported now, not by the first request)

# What start-up made stays: a full collection of it would hold up every request of the process for a tenth of a second.
gc.collect()
gc.freeze()

# A request leaves some hundreds of objects behind, nearly all of them freed by their counts: to look for cycles among
# them after each few hundred, as Python does unless told otherwise, is a tenth of a purchase's work.
gc.set_threshold(10_000, 20, 20)
