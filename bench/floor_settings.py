"""The settings of the floor that ``earn.py`` measures against: ours, with addresses of its own."""

from loyalty.settings import *  # noqa: F403

ROOT_URLCONF = "bench.floor"
WSGI_APPLICATION = "bench.floor.application"
