"""The demo's data: believable, the same every time, sound, and never twice."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command

from analytics import demo
from analytics.models import DailyFigures
from campaigns.experiments import results
from campaigns.models import Campaign, Message
from campaigns.queries import unread_of
from loyalty import clock
from loyalty.models import ApiKey, Partner, Run
from loyalty.partners.keys import find_key
from loyalty.partners.models import Scope
from members.enrolment import NewMember, enrol
from members.models import Activity, Member, User
from rewards import verification
from rewards.models import Redemption, Transfer
from rewards.redemption.terms import terms_at

pytestmark = pytest.mark.django_db


def seed() -> dict[str, Any]:
    out = StringIO()
    call_command("seed_demo", "--members", "15", stdout=out)
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


def rows() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Member, Activity, Transfer, ApiKey, DailyFigures, Run))


def test_the_demo_is_full_and_sound(home: Path) -> None:
    given = seed()
    assert Member.objects.count() == 15
    assert Activity.objects.count() > 300
    assert set(Transfer.objects.values_list("kind", flat=True)) >= {"earn", "expire"}
    assert DailyFigures.objects.count() > 720
    assert verification.verify(at=clock.now()) == []
    addresses = Member.objects.values_list("email", flat=True)
    assert {address.rpartition("@")[2] for address in addresses} <= {
        "example.com",
        "example.org",
        "example.net",
    }
    aino = Member.objects.get(public_id=given["member"]["id"])
    states = set(Redemption.objects.filter(member=aino).values_list("state", flat=True))
    assert states == {"reserved", "issued", "fulfilled", "cancelled", "expired"}
    assert terms_at(clock.now()).point_value is not None
    assert (aino.tier.code, aino.user.email) == ("silver", given["member"]["email"])  # type: ignore[union-attr]


def test_a_second_run_changes_nothing(home: Path) -> None:
    first = seed()
    before = rows()
    assert seed() == first
    assert rows() == before


def test_the_log_ins_work_and_are_kept_private(home: Path) -> None:
    given = seed()
    file = home / demo.CREDENTIALS
    assert json.loads(file.read_text()) == given
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for who in ("staff", "member"):
        user = User.objects.get(email=given[who]["email"])
        assert user.check_password(given[who]["password"])
        assert user.is_superuser == (who == "staff")
        assert EmailAddress.objects.filter(user=user, verified=True, primary=True).exists()
    key = find_key(given["partner"]["api_key"], at=clock.now())
    assert (key.partner.slug, set(key.scopes)) == ("kaarna", set(Scope.values))


def test_an_interrupted_seeding_is_finished(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = demo.record_and_reward_many
    calls = iter(range(10_000))

    def dies(*args: Any, **options: Any) -> Any:
        if next(calls) == 9:
            raise KeyboardInterrupt
        return original(*args, **options)

    monkeypatch.setattr(demo, "record_and_reward_many", dies)
    with pytest.raises(KeyboardInterrupt):
        seed()
    monkeypatch.setattr(demo, "record_and_reward_many", original)
    seed()
    assert Member.objects.count() == 15
    assert DailyFigures.objects.count() > 720
    assert verification.verify(at=clock.now()) == []


def test_demo_data_goes_into_an_empty_house_only(home: Path, settings: Any) -> None:
    enrol(NewMember(first_name="Somebody"), source="staff", at=clock.now())
    with pytest.raises(CommandError, match="members already"):
        seed()
    settings.DEMO = False
    with pytest.raises(CommandError, match="KANTIS_DEMO=1"):
        seed()
    assert not Partner.objects.exists()


def test_the_demo_has_campaigns_in_every_state_with_messages_to_look_at(home: Path) -> None:
    seed()
    assert dict(Campaign.objects.values_list("code", "status")) == {
        "affordable": "running",
        "birthday": "running",
        "welcome": "running",
        "points-expiring": "running",
        "month-in-points": "running",
        "cafe-weeks": "sent",
        "new-in-the-portal": "sent",
        "table-ready": "running",
        "members-evening": "scheduled",
        "win-back": "draft",
    }
    assert "sent" in set(Message.objects.values_list("status", flat=True))
    assert (
        Campaign.objects.get(code="cafe-weeks").hold_out_percent > 0
    )  # of so few members none may be held out
    assert not Message.objects.filter(status="due", due_at__lt=clock.now()).exists()
    assert not Message.objects.filter(status="sent", body="").exists()
    newsletter = Campaign.objects.get(code="cafe-weeks")
    figures = results.latest(newsletter)
    assert figures is not None
    assert figures.is_final
    assert {side["code"] for side in figures.figures["variants"]} == {"A", "B"}
    assert unread_of(Member.objects.get(email=demo.DEMO_EMAIL)) >= 2
