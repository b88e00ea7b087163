"""The API addresses of the catalogue."""

from django.urls import path

from rewards.catalogue.api import FavouriteView, MemberRewardsView, MemberRewardView, RewardsView, RewardView

urlpatterns = [
    path("rewards", RewardsView.as_view(), name="api-rewards"),
    path("rewards/<uuid:public_id>", RewardView.as_view(), name="api-reward"),
    path("members/<uuid:public_id>/rewards", MemberRewardsView.as_view(), name="api-member-rewards"),
    path(
        "members/<uuid:public_id>/rewards/<uuid:reward_id>",
        MemberRewardView.as_view(),
        name="api-member-reward",
    ),
    path(
        "members/<uuid:public_id>/favourites/<uuid:reward_id>",
        FavouriteView.as_view(),
        name="api-member-favourite",
    ),
]
