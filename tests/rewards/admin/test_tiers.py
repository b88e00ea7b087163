"""Tiers in the admin and the portal: drafts that show who would move, tiers set by hand, and the ladder."""

import datetime as dt
import re

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import translation

from loyalty.runs.models import Run
from members.models import Member, Tier, TierHold
from rewards import tasks, tier_holds
from rewards.models import TierDraft, TierLevel, TierTerms
from rewards.terms import revised
from rewards.verification import verify
from tests.factories.portal import DAY, NOW, portal_member, purchases
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(
        tasks.move_tiers, "delay", lambda: None
    )  # no worker runs here; the tests call the task
    with time_machine.travel(NOW, tick=False), translation.override("en"):
        yield


@pytest.fixture
def member() -> Member:
    return portal_member()


def text_of(answer: object) -> str:
    content = answer.content.decode()  # type: ignore[attr-defined]
    content = re.sub(r"<[^>]+>", " ", content.split("<main", 1)[-1])
    return " ".join(content.replace("&nbsp;", " ").replace("\xa0", " ").split())


def at_desk(group: str) -> Client:
    """Staff of a group, reading English."""
    client = logged_in(staff(group=group))
    client.cookies["django_language"] = "en"
    return client


def filled(page: object, **changes: str) -> dict[str, str]:
    """The form of a page as it stands, with changes."""
    form = page.context["form"]  # type: ignore[attr-defined]
    values = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    plain = {name: str(value) for name, value in values.items() if isinstance(value, str | int) or value}
    return {name: value for name, value in plain.items() if not value.startswith("{")} | changes


class TestDrafts:
    def test_a_tier_is_inserted_seen_before_published_and_moved(self, member: Member) -> None:
        purchases(member, "2500.00")
        client = at_desk("Marketing")
        page = client.get(reverse("admin:rewards_tierdraft_add"))
        data = filled(
            page, name="Spring", threshold_new="2000", multiplier_new="1.3", new_names_fi="Kupari",
            new_names_en="Copper", benefits_new_en="Free coffee\nA parking space", downgrade="period_end",
            grace_days="31",
        )  # fmt: skip
        answer = client.post(reverse("admin:rewards_tierdraft_add"), data)
        assert answer.status_code == 302, answer.context["form"].errors
        draft = TierDraft.objects.get()
        assert "Being worked out" in text_of(client.get(answer.url))

        tasks.move_tiers()
        seen = text_of(client.get(answer.url))
        assert "1 of 1 members" in seen
        assert "Silver Copper 1 Aino Virtanen 2 500 points" in seen
        assert not Tier.objects.filter(code="copper").exists()

        client.post(reverse("admin:rewards_tierdraft_publish", args=[draft.pk]))
        tasks.move_tiers()
        member.refresh_from_db()
        assert member.tier.code == "copper"
        level = TierLevel.objects.get(tier__code="copper")
        assert level.benefits == [{"en": "Free coffee"}, {"en": "A parking space"}]
        assert level.terms.grace_days == 31
        run = Run.objects.get(name="rewards.move_tiers")
        assert (run.status, run.done, run.detail) == ("succeeded", 1, {"moved": 1})
        assert "1 of 1 members judged, 1 moved" in text_of(client.get(answer.url))
        assert verify(at=NOW) == []

    def test_a_draft_is_changed_until_it_is_published(self) -> None:
        client = at_desk("Marketing")
        data = filled(client.get(reverse("admin:rewards_tierdraft_add")), name="Spring", window_days="180")
        client.post(reverse("admin:rewards_tierdraft_add"), data)
        draft = TierDraft.objects.get()
        edit = reverse("admin:rewards_tierdraft_edit", args=[draft.pk])
        answer = client.post(edit, filled(client.get(edit), threshold_silver="5000"))
        assert "Each tier has to take more" in text_of(answer)
        assert client.post(edit, filled(client.get(edit), threshold_silver="1500")).status_code == 302
        tasks.move_tiers()
        client.post(reverse("admin:rewards_tierdraft_publish", args=[draft.pk]))
        assert list(
            TierLevel.objects.filter(tier__code="silver").order_by("pk").values_list("threshold", flat=True)
        ) == [
            1000,
            1500,
        ]
        assert client.post(edit, data).status_code == 403

    def test_who_may_not_publishes_nothing(self, member: Member) -> None:
        draft = TierDraft.objects.create(name="Spring", content={})
        client = at_desk("Support")
        assert client.get(reverse("admin:rewards_tierdraft_change", args=[draft.pk])).status_code in {
            200,
            403,
        }
        for name in ("edit", "look", "publish"):
            url = reverse(f"admin:rewards_tierdraft_{name}", args=[draft.pk])
            assert client.post(url).status_code == 403
        assert TierTerms.objects.count() == 1


class TestByHand:
    def test_support_sets_and_lifts_a_tier_and_the_timeline_explains_it(self, member: Member) -> None:
        client = at_desk("Support")
        url = reverse("admin:members_tierhold_set", args=[member.pk])
        data = {"tier": str(Tier.objects.get(code="gold").pk), "kind": "lock", "note": "Friend of the house"}
        last_day = (NOW + 30 * DAY).date()
        answer = client.post(url, data | {"last_day": f"{last_day:%d.%m.%Y}"})
        assert answer.status_code == 302, answer.context["form"].errors
        hold = TierHold.objects.get()
        assert hold.until == dt.datetime(2026, 12, 21, 22, tzinfo=dt.UTC)  # midnight in Helsinki
        overview = text_of(client.get(reverse("admin:members_member_overview", args=[member.pk])))
        assert "Gold was set by hand, until 21.12.2026" in overview
        assert "Friend of the house" in overview
        assert "Friend of the house" in text_of(client.get(url))

        client.post(reverse("admin:members_tierhold_lift", args=[member.pk]))
        member.refresh_from_db()
        assert (member.tier.code, verify(at=NOW)) == ("bronze", [])

    def test_others_may_not_and_nothing_is_written(self, member: Member) -> None:
        client = at_desk("Marketing")
        for name in ("set", "lift"):
            url = reverse(f"admin:members_tierhold_{name}", args=[member.pk])
            assert client.post(url, {"tier": "1", "kind": "lock", "note": "x"}).status_code == 403
        assert not TierHold.objects.exists()

    def test_a_reason_is_asked_for(self, member: Member) -> None:
        client = at_desk("Support")
        url = reverse("admin:members_tierhold_set", args=[member.pk])
        answer = client.post(
            url, {"tier": str(member.tier_id), "kind": "floor", "last_day": "1.1.2020", "note": "x"}
        )
        assert "It would end before it begins." in text_of(answer)
        assert not TierHold.objects.exists()


class TestPortal:
    def test_the_ladder_shows_what_each_tier_takes_and_gives_and_the_way_here(
        self, client: Client, member: Member
    ) -> None:
        TierLevel.objects.filter(tier__code="silver").update(
            birthday_points=50, benefits=[{"en": "Free coffee"}]
        )
        revised()
        purchases(member, "900.00", "600.00")
        client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
        client.cookies["django_language"] = "en"
        page = text_of(client.get("/tiers/"))
        for said in (
            "Tiers are reached by qualifying points, counted in 12 months.",
            "Silver Your tier 1 000 points in 12 months 1.25 times the points 50 points on your birthday Free coffee",
            "1 500 of 5 000",
            "At this pace Gold in",
            "Silver is yours at least until 22.10.2027.",
            "Silver was reached with 1 500 points.",
            "Joined the programme as Bronze.",
        ):
            assert said in page, said

    def test_what_was_set_by_hand_is_said(self, client: Client, member: Member) -> None:
        tier_holds.set_tier(
            member_id=member.pk, tier_id=Tier.objects.get(code="gold").pk, kind="floor", note="Friend",
            staff_id=staff().pk, at=NOW, until=NOW + 10 * DAY,
        )  # fmt: skip
        client.force_login(member.user, backend="django.contrib.auth.backends.ModelBackend")
        client.cookies["django_language"] = "en"
        assert "We have set Gold for you until 1.12.2026." in text_of(client.get("/tiers/"))
        assert "Friend" not in text_of(client.get("/tiers/"))
