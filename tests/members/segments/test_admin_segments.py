"""Staff build a segment with its size in sight, look into it, clone and archive it, and fill a list from a file."""

import datetime as dt
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from members.consents import set_consent
from members.models import Member, Segment
from members.segments import reach
from members.segments.refresh import refresh
from rewards.models import EarningRule, Wallet
from rewards.revisions import RuleTerms, revise_rule
from tests.factories.members import NOON, UserFactory, member
from tests.factories.segments import compare, members_of, segment
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db
SWEDISH = {
    "conditions-t": "group",
    "conditions-k": "all",
    "conditions-0-t": "compare",
    "conditions-0-f": "language",
    "conditions-0-o": "eq",
    "conditions-0-v": "sv",
}


@pytest.fixture
def client() -> Client:
    return logged_in(staff(superuser=True))


@pytest.fixture(autouse=True)
def _english(settings: Any) -> Any:
    settings.LANGUAGE_CODE = "en"
    with override("en"):
        yield


def url(name: str, *args: object) -> str:
    return reverse(f"admin:members_segment_{name}", args=args)


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer
    return " ".join(answer.content.decode().split())


def form(**more: str) -> dict[str, str]:
    return {"names_en": "Swedes", "code": "swedes", "kind": "conditions"} | more


def test_the_size_is_shown_while_building(client: Client) -> None:
    aino = member(language="sv", phone="+358401234567", user=UserFactory.create())
    member(language="fi")
    set_consent(
        member_id=aino.pk, purpose="marketing", channel="email", granted=True, source="staff", at=NOON
    )
    answer = text(client.post(url("size"), SWEDISH))
    for said in ("of 2 active members", "Language is", "with address and consent"):
        assert said in answer
    assert answer.count('<dd class="k-value">1</dd>') == 3
    assert answer.count('<dd class="k-value">0</dd>') == 1
    assert str(aino) in answer


def test_half_written_conditions_have_no_size_yet(client: Client) -> None:
    assert "once the conditions are complete" in text(
        client.post(url("size"), SWEDISH | {"conditions-0-v": ""})
    )


def test_a_count_that_takes_too_long_is_an_estimate() -> None:
    slow = Member.objects.extra(where=["pg_sleep(2) IS NOT NULL"])
    member()
    looked = reach.bounded(slow, QuerySet.count, patience=dt.timedelta(milliseconds=50))
    assert isinstance(looked, reach.TooLong)
    assert Member.objects.count() == 1


def test_a_segment_is_made_filled_and_looked_into(client: Client) -> None:
    aino = member(language="sv")
    answer = client.post(url("add"), form() | SWEDISH, follow=True)
    assert "being filled" in text(answer)
    made = Segment.objects.get(code="swedes")
    refresh(segment_id=made.pk, at=NOON)
    page = text(client.get(url("change", made.pk)))
    for said in ("Swedes", "Language is", str(aino), "Joined with the last refresh"):
        assert said in page
    assert "swedes" in text(client.get(url("changelist")))
    assert aino.card_number in b"".join(client.get(url("download", made.pk)).streaming_content).decode()  # type: ignore[attr-defined]
    overview = text(client.get(reverse("admin:members_member_overview", args=[aino.pk])))
    assert "Joined the segment Swedes" in overview


def test_counting_without_javascript_saves_nothing(client: Client) -> None:
    member(language="sv")
    answer = text(client.post(url("add"), form(preview="1") | SWEDISH))
    assert "of 1 active members" in answer
    assert not Segment.objects.filter(code="swedes").exists()


def test_other_conditions_are_looked_for_afresh(client: Client) -> None:
    made = segment("all")
    client.post(url("edit", made.pk), {"names_en": "Swedes"} | SWEDISH)
    made.refresh_from_db()
    assert (made.name, made.refreshed_at) == ("Swedes", None)
    assert made.conditions["all"][0] == compare("language", "eq", "sv")


def test_segments_cannot_go_round_in_a_circle(client: Client) -> None:
    first = segment("first")
    segment("second", compare("segments", "contains", "first"))
    circle = SWEDISH | {
        "conditions-0-f": "segments",
        "conditions-0-o": "contains",
        "conditions-0-v": "second",
    }
    answer = text(client.post(url("edit", first.pk), {"names_en": "First"} | circle))
    assert "round in a circle" in answer
    first.refresh_from_db()
    assert first.conditions == {}


def test_a_clone_begins_with_the_same_conditions(client: Client) -> None:
    made = segment("swedes", {"all": [compare("language", "eq", "sv")]})
    page = text(client.get(url("add") + f"?like={made.pk}"))
    assert '<option value="sv" selected>' in page


def test_a_segment_that_is_used_cannot_be_archived(client: Client) -> None:
    made = segment("swedes", compare("language", "eq", "sv"))
    other = segment("other", compare("segments", "contains", "swedes"))
    rule = EarningRule.objects.create(code="hej", names={"en": "Hej"})
    wallet_id = Wallet.objects.get(is_default=True).pk
    asked = compare("member.segments", "contains", "swedes")
    rule_terms = RuleTerms(wallet_id=wallet_id, effect="fixed", points=7, priority=100, conditions=asked)
    revise_rule(rule_id=rule.pk, rule_terms=rule_terms, at=NOON)
    refused = text(client.post(url("act", made.pk), {"do": "archive"}, follow=True))
    assert "It is still used by: Other, Hej." in refused
    assert Segment.objects.get(pk=made.pk).is_active
    client.post(url("act", other.pk), {"do": "archive"})
    assert not Segment.objects.get(pk=other.pk).is_active
    client.post(url("act", other.pk), {"do": "restore"})
    assert Segment.objects.get(pk=other.pk).refreshed_at is None


def test_a_list_is_filled_from_a_file(client: Client) -> None:
    aino = member()
    made = Segment.objects.create(code="vips", names={"en": "VIPs"}, kind="list", created_at=NOON)

    def upload(content: str, **more: str) -> str:
        file = SimpleUploadedFile("vips.csv", content.encode())
        return text(client.post(url("upload", made.pk), {"file": file, "mode": "add"} | more, follow=True))

    refused = upload(f"member\n{aino.card_number}\nx@example.com\n")
    assert "x@example.com" in refused
    assert "No active member is known by this." in refused
    assert members_of(made) == set()
    assert "1 members joined" in upload(f"member\n{aino.card_number}\n")
    assert members_of(made) == {aino}


def test_staff_without_the_right_change_nothing() -> None:
    made = segment("swedes", compare("language", "eq", "sv"))
    looker = logged_in(staff("members.view_segment"))
    assert looker.get(url("change", made.pk)).status_code == 200
    for name, args in (("edit", [made.pk]), ("act", [made.pk]), ("add", []), ("size", [])):
        assert looker.post(url(name, *args), {"do": "archive"}).status_code == 403
    assert looker.get(url("download", made.pk)).status_code == 403
    assert Segment.objects.get(pk=made.pk).is_active
