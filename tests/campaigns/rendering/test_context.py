"""What is known of members: right, in their language, only what texts ask for, and for many as for one."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from campaigns.models import Campaign, Message, Text
from campaigns.rendering import context
from campaigns.rendering.inserts import INSERTS
from campaigns.rendering.render import render
from loyalty import programme
from members.activities import LineFacts
from members.consents import ConsentGiven
from members.models import Activity, Member, Product
from members.models.consent import Purpose
from rewards.catalogue.favourites import mark
from rewards.models import Aversion, AversionKind, MemberAversion
from rewards.queries import tier_progress
from tests.campaigns.rendering.writing import campaign, message, say, text, written
from tests.factories.catalogue import points, reward
from tests.factories.members import NOON, member
from tests.factories.partners import PartnerFactory
from tests.factories.rewards import purchase
from tests.factories.vouchers import voucher, voucher_family

pytestmark = pytest.mark.django_db

BY_PURCHASES = (ConsentGiven(purpose=Purpose.PROFILING), ConsentGiven(purpose=Purpose.PURCHASE_LINES))
YESTERDAY = NOON - dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def address(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://kantis.fi"
    cache.clear()


def told(body: str, to: Member | None = None, **facts: object) -> str:
    return written(message(text(body=body), to, **facts)).body


def line(sku: str, category: str = "Pastry") -> LineFacts:
    return LineFacts(sku, category, "Food", Decimal(1), Decimal(5))


def name_products() -> None:
    """As staff do: a product comes without a name."""
    for product in Product.objects.all():
        Product.objects.filter(pk=product.pk).update(name=product.sku.title())


def bought(who: Member, *skus: str) -> int:
    """The pk of a purchase of these products."""
    answer = purchase(who, at=YESTERDAY, lines=tuple(line(sku) for sku in skus))
    name_products()
    return Activity.objects.get(public_id=answer.activity_id).pk


def test_who_they_are() -> None:
    who = member(first_name="Aino", last_name="Virtanen", language="sv", at=NOON)
    body = "{{ member.first_name }} {{ member.last_name }} {{ member.card_number }} {{ member.language }}"
    assert told(body, who) == f"Aino Virtanen {who.card_number} sv"


def test_a_name_that_is_not_known_counts_as_nothing() -> None:
    who = member(first_name="", at=NOON)
    body = "Hi{% if member.first_name %} {{ member.first_name }}{% endif %}, {{ member.first_name | default: 'you' }}"
    assert told(body, who) == "Hi, you"


def test_balance_and_what_expires_next() -> None:
    who = member(at=NOON)
    points(who, 1240)
    assert told("{{ balance.available }} {{ balance.pending }}", who) == "1\xa0240 0"
    body = "{% if expiring.points %}{{ expiring.points }} {{ expiring.date }}{% else %}none{% endif %}"
    assert told(body, member(at=NOON)) == "none"
    assert told(body, who).startswith("1\xa0240 ")


def test_an_expiry_that_was_announced_is_the_one_told_of() -> None:
    facts = {"points": 75, "expires_at": "2026-06-30T21:00:00+00:00"}
    assert told("{{ expiring.points }} {{ expiring.date }}", facts=facts) == "75 30.6.2026"


def test_the_tier_the_next_one_and_what_is_missing() -> None:
    who = member(at=NOON)
    purchase(who, total=50)
    who.refresh_from_db()
    progress = tier_progress(who, NOON)
    assert progress.next is not None
    expected = f"{progress.current.names['en']} {progress.next.names['en']} {progress.missing}"
    found = told("{{ tier.name }} {{ tier.next_name }} {{ tier.missing }}", who)
    assert found.replace("\xa0", "") == expected


def test_the_reward_they_save_for_is_a_marked_one_or_the_nearest() -> None:
    who = member(at=NOON)
    points(who, 90)
    near = reward(names={"fi": "Kahvi", "en": "Coffee"}, points=100)
    marked = reward(names={"en": "Mug"}, points=500)
    reward(names={"en": "Candy"}, points=50)  # theirs already
    body = "{{ reward.name }} {{ reward.points }} {{ reward.missing }}"
    assert told(body, who) == "Coffee 100 10"
    mark(member_id=who.pk, reward=marked, at=NOON)
    assert told(body, who) == "Mug 500 410"
    assert told(body, who, facts={"reward_id": near.pk}) == "Coffee 100 0"


def test_without_a_reward_to_save_for_there_is_none() -> None:
    assert told("{% if reward.name %}{{ reward.name }}{% else %}none{% endif %}") == "none"


def test_the_voucher_of_the_message_and_all_they_hold() -> None:
    who = member(at=NOON)
    family = voucher_family(names={"en": "Five euros"}, valid_days=10)
    first, second = voucher(family, member=who), voucher(member=who)
    voucher()  # nobody's
    body = "{{ voucher.name }} {{ voucher.code }} {{ voucher.value }} {{ voucher.valid_to }}"
    found = told(body, who, facts={"voucher": {"code": first.code, "value": "5.00"}})
    assert found.replace("-", "") == f"Five euros {first.code} 5.00\xa0€ off 25.6.2026"
    listed = told("{% for one in vouchers %}{{ one.code }};{% endfor %}{{ vouchers.size }}", who)
    assert listed.replace("-", "") == f"{first.code};{second.code};2"


def test_a_voucher_is_told_by_its_facts_where_it_is_not_ours() -> None:
    assert told("{{ voucher.code }}", facts={"voucher": {"code": "ABC 123"}}) == "ABC 123"
    assert told("{{ voucher.code | default: 'none' }}") == "none"


def test_what_happened_is_there_as_it_was_told() -> None:
    assert told("{{ event.days }} {{ event.to | upcase }}", facts={"days": 7, "to": "gold"}) == "7 GOLD"


def test_the_purchase_is_told_and_its_lines_only_with_consent() -> None:
    body = "{{ activity.date }} {{ activity.total }} {% for one in activity.products %}{{ one.name }}{% endfor %}"
    agreeing, other = member(at=NOON, consents=BY_PURCHASES), member(at=NOON)
    for who, products in ((agreeing, "Bun"), (other, "")):
        activity = bought(who, "bun")
        assert told(body, who, facts={"activity_id": activity}) == f"14.6.2026 10.00\xa0€ {products}".strip()


def test_another_member_s_purchase_is_never_told() -> None:
    activity = bought(member(at=NOON, consents=BY_PURCHASES), "bun")
    assert told("{{ activity.total | default: 'none' }}", facts={"activity_id": activity}) == "none"


def test_a_purchase_that_the_event_names_publicly_is_found() -> None:
    who = member(at=NOON)
    bought(who, "bun")
    assert (
        told("{{ activity.total }}", who, facts={"activity": str(who.activities.get().public_id)})
        == "10.00\xa0€"
    )
    assert told("{{ activity.total | default: 'none' }}", who, facts={"activity": "not-an-id"}) == "none"


# --- Recommendations --------------------------------------------------------------------------------------------------

LIKED = "{{ recommendations | map: 'name' | join: ', ' }}"


@pytest.fixture
def shop() -> None:
    """Others buy mostly tea, and of pastries the pie most."""
    others = [member(at=NOON) for _each in range(4)]
    partner = PartnerFactory()
    for number, who in enumerate(others):
        for sku, category in (("tea", "Drinks"), ("milk", "Drinks"), ("pie", "Pastry"), ("cake", "Pastry")):
            if sku in {"tea", "pie"} or number < {"milk": 3, "cake": 2}[sku]:
                purchase(who, at=YESTERDAY, partner=partner, lines=(line(sku, category),))
    purchase(others[0], at=YESTERDAY, partner=partner, lines=(line("bun"),))
    name_products()


def pastry_eater(*consents: ConsentGiven) -> Member:
    who = member(at=NOON, consents=consents)
    bun = Product.objects.get(sku="bun")
    purchase(who, at=YESTERDAY, partner=bun.partner, lines=(line("bun"),))
    return who


@pytest.mark.usefixtures("shop")
def test_what_sells_best_in_their_categories_comes_first_and_nothing_they_have_bought() -> None:
    assert told(LIKED, pastry_eater(*BY_PURCHASES)) == "Pie, Cake, Tea"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("consents", [(), BY_PURCHASES[:1], BY_PURCHASES[1:]])
def test_without_both_consents_their_purchases_choose_nothing(consents: tuple[ConsentGiven, ...]) -> None:
    assert told(LIKED, pastry_eater(*consents)) == told(LIKED, member(at=NOON)) != "Pie, Cake, Tea"


@pytest.mark.usefixtures("shop")
def test_what_they_said_they_never_want_is_left_out() -> None:
    who = member(at=NOON)
    aversion = Aversion.objects.create(code="tea", names={"en": "Tea"})
    kind = AversionKind.objects.create(aversion=aversion, code="tea", names={"en": "Tea"}, skus=["tea"])
    MemberAversion.objects.create(member=who, kind=kind, said_at=NOON)
    assert "Tea" in told(LIKED, member(at=NOON))
    assert "Tea" not in told(LIKED, who)


# --- Batches ----------------------------------------------------------------------------------------------------------


def statements(one: Text, count: int) -> int:
    """How many statements a batch of so many messages takes, of members that nothing is loaded of."""
    for _each in range(count):
        message(one, facts={"reward_id": 0, "voucher": {"code": "A"}, "activity_id": 1})
    batch = list(Message.objects.filter(variant=one.variant))
    context.load(batch, at=NOON)
    with CaptureQueriesContext(connection) as asked:
        contexts = context.load(list(Message.objects.filter(variant=one.variant)), at=NOON)
    assert len(contexts) == len(batch)
    return len(asked)


def test_many_messages_take_no_more_statements_than_one() -> None:
    reward(points=100)
    known = campaign(kind=Campaign.Kind.TRIGGERED, occasion="event", channels=["email"])
    everything = " ".join(f"{{{{ {insert.path} }}}}" for insert in INSERTS)
    one = text(of=known, body=everything)
    assert statements(one, 2) == statements(one, 20)


def test_a_plain_text_takes_four_statements() -> None:
    one = message(text(body="Hi {{ member.first_name }}", button_label="Look"))
    context.load([one], at=NOON)
    fresh = Message.objects.get(pk=one.pk)
    with CaptureQueriesContext(connection) as asked:
        context.load([fresh], at=NOON)
    tables = ("campaigns_text", "members_member", "campaigns_link", "campaigns_sendingpolicy")
    assert [next(name for name in tables if f'FROM "{name}"' in each["sql"]) for each in asked] == list(
        tables
    )


def test_what_no_text_asks_for_is_not_read() -> None:
    found = context.load([message(text(body="Hi"))], at=NOON)
    (only,) = found.values()
    assert {"balance", "tier", "reward", "vouchers", "recommendations"}.isdisjoint(only.inserts)


def test_every_insert_that_is_offered_is_filled_for_everybody() -> None:
    known = campaign(kind=Campaign.Kind.TRIGGERED, occasion="event")
    one = message(text(of=known, body=" ".join(f"{{{{ {insert.path} }}}}" for insert in INSERTS)))
    inserts = context.load([one], at=NOON)[one.pk].inserts
    for insert in INSERTS:
        assert insert.path.split(".")[0] in {*inserts, "activity"}, insert.path


def test_a_member_who_has_left_is_left_out() -> None:
    one = message(text())
    Member.objects.filter(pk=one.member_id).update(status=Member.Status.ERASED)
    assert context.load([one], at=NOON) == {}


def test_rendering_reads_nothing_so_that_a_thread_may_do_it() -> None:
    one = message(text(body="{{ balance.available | money }} [a](https://a.fi)", button_label="Look"))
    found = context.load([one], at=NOON)[one.pk]
    programme.forget()
    with CaptureQueriesContext(connection) as asked:
        assert render(one, found, for_channel="email").html
    assert len(asked) == 0


def test_say_is_in_the_member_s_language() -> None:
    assert say(body="{{ tier.name }}").language == "en"
