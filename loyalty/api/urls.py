"""The API's addresses: the schema, its pages, and what the upper floors offer (named by dotted string)."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from loyalty.api import problems, schema  # noqa: F401  (registers the key's scheme)

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs",
        SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="api/swagger.html"),
        name="docs",
    ),
    path("problems/<slug:code>", problems.explain, name="problem"),
    path("", include("members.api_urls")),
    path("", include("rewards.api_urls")),
    path("", include("campaigns.api_urls")),
    path("", include("referrals.api_urls")),
]
