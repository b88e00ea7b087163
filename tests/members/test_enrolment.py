import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection

from loyalty.events.models import Event
from members import enrolment
from members.consents import ConsentGiven
from members.duplicates import possible_duplicates
from members.enrolment import (
    DuplicateMember,
    NewMember,
    claim,
    enrol,
    enrol_many,
    enrolled_with,
    follow_email,
)
from members.models import Consent, ConsentChange, ExternalId, Member, TierChange, User
from tests.factories.members import NOON, NewMemberFactory, UserFactory, member
from tests.factories.partners import PartnerFactory

pytestmark = pytest.mark.django_db
PARTNER, PORTAL, IMPORT = Member.Source.PARTNER, Member.Source.PORTAL, Member.Source.IMPORT


def counts() -> dict[str, int]:
    tables = (Member, ExternalId, TierChange, Consent, ConsentChange, Event)
    return {model.__name__: model.objects.count() for model in tables}


def verified(user: User, email: str | None = None) -> User:
    EmailAddress.objects.create(user=user, email=email or user.email, primary=True, verified=True)
    return user


class TestEnrol:
    def test_writes_the_member_with_everything_that_belongs_to_it(self) -> None:
        shop = PartnerFactory()

        aino = enrol(
            NewMember(
                external_id="c-1",
                first_name="Aino",
                email=" Aino@Example.com",
                phone="040 123 4567",
                birth_date=dt.date(1990, 2, 28),
                consents=(
                    ConsentGiven(purpose="marketing", channel="email"),
                    ConsentGiven(purpose="surveys", granted=False),
                ),
            ),
            source=PARTNER,
            at=NOON,
            partner=shop,
        )

        aino = Member.objects.get(pk=aino.pk)
        assert (aino.email, aino.phone, aino.language) == ("aino@example.com", "+358401234567", "fi")
        assert (aino.tier.rank, aino.tier_since, aino.joined_at) == (0, NOON, NOON)
        assert (aino.enrolled_by, aino.source, aino.acquisition_channel) == (shop, "partner", "partner")
        assert counts() == {
            "Member": 1, "ExternalId": 1, "TierChange": 1, "Consent": 1, "ConsentChange": 1, "Event": 2,
        }  # fmt: skip
        change = TierChange.objects.get()
        assert (change.from_tier, change.to_tier, change.reason) == (None, aino.tier, "enrolled")
        assert set(Event.objects.values_list("name", "member_id", "partner_id")) == {
            ("member.enrolled", aino.pk, shop.pk),
            ("consent.changed", aino.pk, shop.pk),
        }

    @pytest.mark.parametrize("email", ["aino@example.com", "AINO@example.COM "])
    def test_an_address_has_one_member(self, email: str) -> None:
        aino = member(email="aino@example.com")
        before = counts()

        with pytest.raises(DuplicateMember) as refused:
            enrol(NewMember(email=email, external_id="x"), source=PARTNER, at=NOON, partner=PartnerFactory())

        assert (refused.value.field, refused.value.member) == ("email", aino)
        assert counts() == before

    def test_members_without_an_address_do_not_clash(self) -> None:
        member(email="")
        member(email="")
        assert Member.objects.count() == 2

    def test_an_external_id_has_one_member_per_partner(self) -> None:
        one, other = PartnerFactory(), PartnerFactory()
        aino = member(partner=one, external_id="7", email="a@example.com")

        with pytest.raises(DuplicateMember) as refused:
            member(partner=one, external_id="7", email="a@example.com")
        assert (refused.value.field, refused.value.member) == ("external_id", aino)
        assert member(partner=other, external_id="7", email="b@example.com") != aino

    def test_a_household_may_share_a_phone_and_staff_see_it(self) -> None:
        aino, eino = member(phone="0401234567"), member(phone="+358401234567", last_name="Korhonen")
        member(phone="0407654321")
        member(phone="")
        assert [likeness.member for likeness in possible_duplicates(aino)] == [eino]

    def test_a_repeat_is_told_from_another_enrolment(self) -> None:
        shop = PartnerFactory()
        new = NewMember(external_id="7", email="a@example.com", phone="0401234567")
        aino = enrol(new, source=PARTNER, at=NOON, partner=shop)
        Member.objects.filter(pk=aino.pk).update(first_name="changed in the portal")

        same = NewMember(external_id="7", email="A@example.com", phone="+358 40 1234567", joined_at=NOON)
        assert enrolled_with(same, partner=shop)
        assert not enrolled_with(NewMember(external_id="7", email="b@example.com"), partner=shop)
        assert not enrolled_with(same, partner=PartnerFactory())

    def test_a_card_number_that_exists_is_drawn_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        aino = member()
        draws = iter([aino.card_number, aino.card_number, "9000000000000001"])
        monkeypatch.setattr(enrolment, "new_card_number", lambda: next(draws))
        assert member().card_number == "9000000000000001"


class TestEnrolMany:
    def test_known_external_ids_are_taken_as_they_are(self) -> None:
        shop = PartnerFactory()
        known = member(partner=shop, external_id="b")
        news = [NewMember(external_id=name) for name in ("a", "b", "c", "a")]

        members = enrol_many(news, source=IMPORT, at=NOON, partner=shop)

        assert members[1] == known
        assert members[0] == members[3]
        assert [row.external_ids.get().external_id for row in members] == ["a", "b", "c", "a"]
        assert Member.objects.count() == 3

    def test_costs_the_same_for_one_and_for_a_thousand(self, django_assert_max_num_queries: Any) -> None:
        shop = PartnerFactory()
        for size in (1, 1000):
            news = [
                NewMemberFactory(external_id=f"{size}-{number}", consents=(ConsentGiven(purpose="surveys"),))
                for number in range(size)
            ]
            with django_assert_max_num_queries(14):  # 11 and a savepoint
                assert len(enrol_many(news, source=IMPORT, at=NOON, partner=shop)) == size

    def test_a_taken_address_enrols_nobody(self) -> None:
        member(email="a@example.com")
        before = counts()
        with pytest.raises(DuplicateMember):
            enrol_many(
                [NewMember(email="b@example.com"), NewMember(email="a@example.com")], source=IMPORT, at=NOON
            )
        assert counts() == before

    def test_joins_in_the_past(self) -> None:
        then = NOON - dt.timedelta(days=400)
        [aino] = enrol_many([NewMember(joined_at=then)], source=IMPORT, at=NOON)
        assert (aino.joined_at, aino.tier_since, TierChange.objects.get().changed_at) == (then, then, then)


class TestClaim:
    def test_nothing_before_the_address_is_verified(self) -> None:
        member(email="aino@example.com")
        user = UserFactory(email="aino@example.com")
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
        assert claim(user=user, at=NOON) is None
        assert not Member.objects.filter(user=user).exists()

    def test_links_the_member_enrolled_at_a_till(self) -> None:
        aino = member(email="aino@example.com", partner=PartnerFactory())
        user = verified(UserFactory(email="aino@example.com"))
        assert claim(user=user, at=NOON) == aino
        assert claim(user=user, at=NOON) == aino
        assert Member.objects.get().user == user

    def test_enrols_somebody_new(self) -> None:
        user = verified(UserFactory(email="aino@example.com"))
        aino = claim(user=user, at=NOON)
        assert aino is not None
        assert (aino.user, aino.email, aino.source) == (user, "aino@example.com", "portal")
        assert claim(user=user, at=NOON) == aino

    def test_leaves_a_member_with_another_log_in_alone(self) -> None:
        aino = member(email="aino@example.com", user=UserFactory(email="old@example.com"))
        assert claim(user=verified(UserFactory(email="aino@example.com")), at=NOON) is None
        aino.refresh_from_db()
        assert aino.user is not None
        assert aino.user.email == "old@example.com"

    def test_the_members_address_follows_the_users(self) -> None:
        user = UserFactory(email="old@example.com")
        aino = member(email="old@example.com", user=user)
        verified(user, "New@example.com")
        assert follow_email(user=user)
        assert not follow_email(user=user)
        aino.refresh_from_db()
        assert aino.email == "new@example.com"

    def test_another_members_address_is_not_taken(self) -> None:
        user = UserFactory(email="old@example.com")
        aino = member(email="old@example.com", user=user)
        member(email="new@example.com")
        verified(user, "new@example.com")
        assert not follow_email(user=user)
        aino.refresh_from_db()
        assert aino.email == "old@example.com"


def at_once(number: int, work: Any) -> list[Any]:
    """Call ``work`` in that many threads, each with its own connection; results or exceptions."""

    def one(place: int) -> Any:
        try:
            return work(place)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestRaces:
    def test_one_address_enrolled_twenty_times_at_once_is_one_member(self) -> None:
        outcomes = at_once(
            8, lambda place: enrol(NewMember(email="aino@example.com"), source=PORTAL, at=NOON)
        )
        [aino] = [outcome for outcome in outcomes if isinstance(outcome, Member)]
        duplicates = [outcome for outcome in outcomes if isinstance(outcome, DuplicateMember)]
        assert {(clash.field, clash.member.pk) for clash in duplicates} == {("email", aino.pk)}
        assert len(duplicates) == 7
        assert counts()["TierChange"] == counts()["Event"] == Member.objects.count() == 1

    def test_batches_with_the_same_people_agree(self) -> None:
        shop = PartnerFactory()
        names = [f"c-{number}" for number in range(50)]

        def batch(place: int) -> list[int]:
            order = names if place % 2 else names[::-1]
            news = [NewMember(external_id=name) for name in order]
            return sorted(row.pk for row in enrol_many(news, source=IMPORT, at=NOON, partner=shop))

        first, *others = at_once(4, batch)
        assert others == [first] * 3
        assert Member.objects.count() == 50

    def test_a_claim_and_an_enrolment_at_once_end_with_one_member(self) -> None:
        user = verified(UserFactory(email="aino@example.com"))

        def either(place: int) -> Any:
            if place % 2:
                return claim(user=user, at=NOON)
            return enrol(NewMember(email=user.email), source=PORTAL, at=NOON)

        at_once(6, either)
        aino = Member.objects.get()
        assert aino.user == user or claim(user=user, at=NOON) == aino
