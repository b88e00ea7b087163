"""Every address of the house; the upper floors' are included by dotted string."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("account/", include("allauth.urls")),
    path("api/v1/", include("loyalty.api.urls")),
    path("", include("loyalty.health_urls")),
    path("", include("members.urls")),
    path("", include("rewards.urls")),
]

handler400 = "loyalty.api.problems.bad_request"
handler403 = "loyalty.api.problems.permission_denied"
handler404 = "loyalty.api.problems.page_not_found"
handler500 = "loyalty.api.problems.server_error"
