"""Addresses of the portal's pages about points."""

from django.urls import include, path

from rewards import views, views_gifts, views_tiers

urlpatterns = [
    path("", views.home, name="home"),
    path("activity/", views.statement, name="statement"),
    path("activity/statement.csv", views.statement_csv, name="statement-csv"),
    path("points/expiring/", views.expiring, name="expiring"),
    path("points/give/", views_gifts.give_points, name="give-points"),
    path("points/give/preference/", views_gifts.gift_preference, name="gift-preference"),
    path("tiers/", views_tiers.tier_ladder, name="tiers"),
    path("offers/", views.personal_offers, name="offers"),
    path("offers/activate/", views.activate_offer, name="activate-offer"),
    path("profile/my-data.json", views.my_data, name="my-data"),
    path("", include("rewards.catalogue.urls")),
    path("", include("rewards.redemption.urls")),
    path("", include("rewards.challenges.urls")),
    path("", include("rewards.vouchers.urls")),
    path("", include("rewards.leaderboards.urls")),
    path("", include("rewards.causes.urls")),
    path("", include("rewards.draws.urls")),
]
