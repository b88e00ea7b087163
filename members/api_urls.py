"""The API addresses of this floor, included under /api/v1/."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
