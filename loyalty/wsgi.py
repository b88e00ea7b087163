"""The WSGI entry point that granian serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from loyalty import collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")

application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  (every view is imported now, not by the first request)
collector.settle()
