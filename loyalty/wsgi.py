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
