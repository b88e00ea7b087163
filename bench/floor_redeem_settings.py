"""The settings of the floor that ``redeem.py`` measures against: ours, with addresses of its own."""

from loyalty.settings import *  # noqa: F403

ROOT_URLCONF = "bench.floor_redeem"
WSGI_APPLICATION = "bench.floor_redeem.application"
