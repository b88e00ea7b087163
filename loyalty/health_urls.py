"""The addresses that machines ask: alive, ready, metrics."""

from django.urls import path

from loyalty.health import healthz, readyz
from loyalty.metrics import metrics

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
