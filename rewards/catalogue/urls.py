"""Addresses of the catalogue in the portal, and of its pictures."""

from django.urls import path, re_path

from rewards.catalogue import views, views_pictures

urlpatterns = [
    path("rewards/", views.rewards, name="rewards"),
    path("rewards/<uuid:public_id>/", views.reward, name="reward"),
    path("rewards/<uuid:public_id>/favourite/", views.favourite, name="favourite-reward"),
    path("profile/never/", views.reward_preferences, name="reward-preferences"),
    re_path(r"^pictures/(?P<digest>[0-9a-f]{64})\.webp$", views_pictures.picture, name="picture"),
    re_path(
        r"^pictures/(?P<digest>[0-9a-f]{64})-small\.webp$", views_pictures.thumbnail, name="picture-small"
    ),
]
