"""Terms are revised by date, read out as sentences, and never edited once they were used."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils.translation import override

from loyalty.models import Programme
from rewards.models import EarningRule, ExpiryPolicy, RuleRevision, TierLevel, TierTerms
from rewards.revisions import (
    NewLevel,
    RevisionRefused,
    RuleTerms,
    end_rule,
    revise_expiry,
    revise_rule,
    revise_tiers,
    withdraw_rule_revision,
)
from rewards.wording import expiry_of, levels_of, what_it_gives, when_it_gives
from tests.factories.members import NOON
from tests.factories.staff import logged_in, staff

pytestmark = pytest.mark.django_db

LATER = NOON + dt.timedelta(days=30)
PURCHASE = {"field": "kind", "op": "eq", "value": "purchase"}


@pytest.fixture
def base() -> EarningRule:
    return EarningRule.objects.get(code="base")


def doubled(rule: EarningRule, **changes: Any) -> RuleTerms:
    wallet_id = rule.revisions.get(number=1).wallet_id
    return RuleTerms(
        **{
            "wallet_id": wallet_id,
            "effect": "per_amount",
            "points": 2,
            "amount": Decimal("1.00"),
            "qualifying": True,
            "conditions": PURCHASE,
            **changes,
        }
    )


def version() -> int:
    return Programme.objects.get(pk=1).terms_version


# --- The functions ----------------------------------------------------------------------------------------------------


def test_a_revision_ends_the_one_before_it_and_tells_every_process(base: EarningRule) -> None:
    before = version()
    second = revise_rule(rule_id=base.pk, rule_terms=doubled(base), at=NOON, valid_from=LATER)
    first = base.revisions.get(number=1)
    assert (first.valid_to, first.points) == (LATER, 1)
    assert (second.number, second.valid_from, second.valid_to, second.points) == (2, LATER, None, 2)
    assert version() > before


def test_without_a_date_it_is_in_force_at_once(base: EarningRule) -> None:
    assert revise_rule(rule_id=base.pk, rule_terms=doubled(base), at=NOON).valid_from == NOON


def test_the_past_and_what_waits_are_not_overtaken(base: EarningRule) -> None:
    revise_rule(rule_id=base.pk, rule_terms=doubled(base), at=NOON, valid_from=LATER)
    known = list(RuleRevision.objects.order_by("pk").values())
    wrong: list[dict[str, Any]] = [
        {"valid_from": NOON - dt.timedelta(seconds=1)},
        {"valid_from": LATER},
        {"valid_from": None},
        {"valid_from": LATER + dt.timedelta(days=2), "valid_to": LATER + dt.timedelta(days=1)},
    ]
    for dates in wrong:
        with pytest.raises(RevisionRefused):
            revise_rule(rule_id=base.pk, rule_terms=doubled(base), at=NOON, **dates)
    assert list(RuleRevision.objects.order_by("pk").values()) == known


def test_a_revision_that_waits_can_be_withdrawn_and_one_in_force_cannot(base: EarningRule) -> None:
    second = revise_rule(rule_id=base.pk, rule_terms=doubled(base), at=NOON, valid_from=LATER)
    withdraw_rule_revision(revision_id=second.pk, at=NOON)
    first = base.revisions.get()
    assert first.valid_to is None
    with pytest.raises(RevisionRefused):
        withdraw_rule_revision(revision_id=first.pk, at=NOON)
    assert base.revisions.count() == 1


def test_a_rule_is_ended_without_touching_the_past(base: EarningRule) -> None:
    assert end_rule(rule_id=base.pk, at=NOON)
    assert base.revisions.get().valid_to == NOON
    assert not end_rule(rule_id=base.pk, at=LATER)


def levels(*pairs: tuple[int, str]) -> list[NewLevel]:
    tiers = TierLevel.objects.order_by("threshold").values_list("tier", flat=True)
    return [
        NewLevel(tier_id=tier_id, threshold=threshold, multiplier=Decimal(multiplier))
        for tier_id, (threshold, multiplier) in zip(tiers, pairs, strict=True)
    ]


def test_tier_terms_have_to_ascend_from_nothing() -> None:
    for wrong in (
        levels((1, "1"), (1000, "1"), (5000, "1")),
        levels((0, "1"), (1000, "1"), (1000, "1")),
        levels((0, "1"), (5000, "1"), (1000, "1")),
        levels((0, "0.5"), (1000, "1"), (5000, "1")),
        [],
    ):
        with pytest.raises(RevisionRefused):
            revise_tiers(window_days=365, levels=wrong, at=NOON)
    assert TierTerms.objects.count() == 1
    new = revise_tiers(window_days=180, levels=levels((0, "1"), (500, "1.5"), (2000, "2")), at=NOON)
    assert [level.threshold for level in new.levels.order_by("threshold")] == [0, 500, 2000]


def test_an_expiry_policy_is_succeeded_not_edited() -> None:
    first = ExpiryPolicy.objects.get()
    revise_expiry(wallet_id=first.wallet_id, months=None, rounding="exact", at=NOON)
    assert list(ExpiryPolicy.objects.order_by("valid_from").values_list("months", flat=True)) == [24, None]


# --- Read out ---------------------------------------------------------------------------------------------------------


def test_terms_read_as_sentences(base: EarningRule) -> None:
    revision = base.revisions.get()
    with override("en"):
        assert what_it_gives(revision) == "1 point for each full 1 EUR; counts towards tiers"
        assert when_it_gives(revision) == "Kind of activity is Purchase."
        assert levels_of(TierTerms.objects.get()).startswith("Bronze 0 (×1), Silver 1")
        assert expiry_of(ExpiryPolicy.objects.get()) == "24 months, at the end of the month"


# --- The pages --------------------------------------------------------------------------------------------------------


def revise_form(base: EarningRule, **changes: str) -> dict[str, str]:
    return {
        "effect": "per_amount",
        "points": "2",
        "amount": "1.00",
        "qualifying": "on",
        "pending_days": "0",
        "wallet": str(base.revisions.get(number=1).wallet_id),
        "priority": "0",
        "valid_from_0": "",
        "valid_from_1": "",
        "valid_to_0": "",
        "valid_to_1": "",
        **changes,
    }


def test_a_marketer_revises_a_rule(base: EarningRule) -> None:
    client = logged_in(staff(group="Marketing"))
    url = reverse("admin:rewards_earningrule_revise", args=[base.pk])
    assert client.get(url).status_code == 200
    answer = client.post(url, revise_form(base))
    assert answer.status_code == 302, answer.context["form"].errors
    first, second = base.revisions.order_by("number")
    assert (first.points, first.valid_to) == (1, second.valid_from)
    assert second.points == 2
    with override("en"):
        assert when_it_gives(second) == "For every activity."
    page = client.get(reverse("admin:rewards_earningrule_change", args=[base.pk]))
    assert [item["state"] for item in page.context["revisions"]] == ["in force", "ended"]


def test_a_wrong_revision_is_explained_and_not_made(base: EarningRule) -> None:
    client = logged_in(staff(group="Marketing"))
    url = reverse("admin:rewards_earningrule_revise", args=[base.pk])
    for field, changes in (
        ("amount", {"amount": ""}),
        ("points", {"points": "0"}),
        ("valid_from", {"valid_from_0": "1.1.2020", "valid_from_1": "12.00"}),
    ):
        answer = client.post(url, revise_form(base, **changes))
        assert answer.status_code == 200
        assert field in answer.context["form"].errors
    assert base.revisions.count() == 1


def test_support_reads_terms_but_does_not_revise_them(base: EarningRule) -> None:
    client = logged_in(staff(group="Support"))
    for name in ("earningrule", "tierterms", "expirypolicy"):
        assert client.get(reverse(f"admin:rewards_{name}_changelist")).status_code == 200
    revision = base.revisions.get()
    assert client.get(reverse("admin:rewards_earningrule_change", args=[base.pk])).status_code == 200
    for name, target in (("revise", base.pk), ("end", base.pk), ("withdraw", revision.pk)):
        url = reverse(f"admin:rewards_earningrule_{name}", args=[target])
        assert client.post(url, revise_form(base)).status_code == 403, name
    assert client.post(reverse("admin:rewards_tierterms_add"), {}).status_code == 403
    assert client.post(reverse("admin:rewards_expirypolicy_add"), {}).status_code == 403
    assert (RuleRevision.objects.count(), TierTerms.objects.count(), ExpiryPolicy.objects.count()) == (
        2,
        1,
        1,
    )


def test_used_terms_have_no_edit_form(base: EarningRule) -> None:
    client = logged_in(staff(superuser=True))
    for name, row in (("tierterms", TierTerms.objects.get()), ("expirypolicy", ExpiryPolicy.objects.get())):
        change = reverse(f"admin:rewards_{name}_change", args=[row.pk])
        assert client.get(change).status_code == 200
        assert client.post(change, {"window_days": "1", "months": "1"}).status_code == 403
        assert (
            client.post(reverse(f"admin:rewards_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
            == 403
        )
    assert TierTerms.objects.get().window_days == 365


def test_new_tier_terms_and_expiry_through_their_pages() -> None:
    client = logged_in(staff(group="Marketing"))
    page = client.get(reverse("admin:rewards_tierterms_add"))
    data = {
        name: field.initial
        for name, field in page.context["form"].fields.items()
        if field.initial is not None
    }
    answer = client.post(reverse("admin:rewards_tierterms_add"), data | {"window_days": "180"})
    assert answer.status_code == 302, answer.context["form"].errors
    assert TierTerms.objects.order_by("-valid_from")[0].window_days == 180
    wallet = ExpiryPolicy.objects.get().wallet_id
    answer = client.post(
        reverse("admin:rewards_expirypolicy_add"), {"wallet": wallet, "months": "12", "rounding": "year_end"}
    )
    assert answer.status_code == 302, answer.context["form"].errors
    assert ExpiryPolicy.objects.order_by("-valid_from")[0].months == 12
