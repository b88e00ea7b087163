import pytest
from django.db import IntegrityError, transaction

from loyalty.events.models import Event
from members.consents import has_consent, set_consent
from members.models import Consent, ConsentChange
from tests.factories.members import NOON, member

pytestmark = pytest.mark.django_db


def test_a_consent_given_has_state_history_and_announcement() -> None:
    aino = member()

    assert set_consent(
        member_id=aino.pk, purpose="marketing", channel="email", granted=True, source="portal", at=NOON
    )

    assert has_consent(aino.pk, "marketing", "email")
    assert not has_consent(aino.pk, "marketing", "sms")
    change = ConsentChange.objects.get(member=aino)
    assert (change.purpose, change.channel, change.granted, change.source) == (
        "marketing",
        "email",
        True,
        "portal",
    )
    event = Event.objects.get(name="consent.changed")
    assert event.member_id == aino.pk
    assert event.facts == {"purpose": "marketing", "channel": "email", "granted": True}


def test_withdrawing_keeps_the_history() -> None:
    aino = member()
    for granted in (True, False):
        set_consent(member_id=aino.pk, purpose="surveys", granted=granted, source="portal", at=NOON)

    assert not has_consent(aino.pk, "surveys")
    assert list(ConsentChange.objects.order_by("id").values_list("granted", flat=True)) == [True, False]


@pytest.mark.parametrize("granted", [True, False])
def test_the_same_answer_again_writes_nothing(granted: bool) -> None:
    aino = member()
    set_consent(member_id=aino.pk, purpose="surveys", granted=granted, source="portal", at=NOON)
    before = (Consent.objects.count(), ConsentChange.objects.count(), Event.objects.count())

    assert not set_consent(member_id=aino.pk, purpose="surveys", granted=granted, source="portal", at=NOON)

    assert (Consent.objects.count(), ConsentChange.objects.count(), Event.objects.count()) == before


def test_the_history_cannot_be_rewritten() -> None:
    aino = member()
    set_consent(member_id=aino.pk, purpose="surveys", granted=True, source="portal", at=NOON)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ConsentChange.objects.update(granted=False)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ConsentChange.objects.all()._raw_delete("default")
