"""The demo's data: five hundred members, two years of purchases, points and tiers, nightly figures, log-ins.

Everything goes the same way as in real life (enrolment, ``record_and_reward_many``, expiry, tier review), a few days at
a time, each judged at its own time. One transaction: a seeding that is interrupted leaves nothing behind.
Called by ``manage.py seed_demo``.
"""

import datetime as dt
import json
import os
import random
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction

from analytics import nightly
from campaigns import demo as campaigns
from loyalty.models import Partner, Run
from loyalty.partners.keys import create_key
from loyalty.runs import record
from members.activities import NewActivity
from members.enrolment import enrol_many
from members.models import Member, Product, Segment, Store, User
from members.segments import definition, lists, refresh, value
from rewards import ledger, tier_review
from rewards.demo import catalogue, challenges, economy, giving, leaderboards, redemptions, vouchers
from rewards.demo.people import DEMO_EMAIL, Person, people
from rewards.demo.shopping import HELSINKI, Trip, trips
from rewards.demo.wares import SHOPS
from rewards.earning import record_and_reward_many
from rewards.grants import adjust

RUN_NAME = "analytics.seed_demo"
SEED = 20_240_229
MEMBERS = 500
MONTHS = 26  # two years, and the two months before them whose points have expired
DAYS_A_BATCH = 7
STAFF_EMAIL = "staff@example.com"
CREDENTIALS = "credentials.json"
CORRECTIONS = (
    (50, "Pahoittelut myöhästyneestä toimituksesta"),
    (20, "Kuitti puuttui kassalta"),
    (-15, "Kirjattu kahdesti"),
)
_WORDS = (
    "koivu", "kanto", "puro", "niemi", "salmi", "halla", "tuuli", "aalto", "lampi", "kallio", "pihka", "sammal",
    "vaahto", "kaarna", "havu", "loimu", "usva", "routa", "saari", "lehto", "suvi", "ilves", "kettu", "karhu",
    "joutsen", "hauki", "siika", "puolukka", "mustikka", "kataja",
)  # fmt: skip

Progress = Callable[[int, int], None]


def is_seeded() -> bool:
    return Run.objects.filter(name=RUN_NAME, status=Run.Status.SUCCEEDED).exists()


def seed(*, at: dt.datetime, members: int = MEMBERS, progress: Progress = lambda done, total: None) -> None:
    """Fill an empty house, or go on where an interrupted seeding stopped. Raises ValueError when others live there.

    What is made up depends on nothing but the moment of the first start, which the first partner's row remembers.
    """
    first = Partner.objects.filter(slug=SHOPS[0].slug).first()
    if first is None and Member.objects.exists():
        raise ValueError("There are members already; demo data goes into an empty house only.")
    with record.run(RUN_NAME, at=at) as run:
        partners = {
            shop.slug: Partner.objects.get_or_create(slug=shop.slug, defaults={"name": shop.name})[0]
            for shop in SHOPS
        }
        began = partners[SHOPS[0].slug].created_at
        chance = random.Random(SEED)  # noqa: S311 - made-up shopping, not secrets
        begins = began - dt.timedelta(days=round(MONTHS * 30.44))
        persons = people(members, chance=chance, begins=begins, at=began)
        shopping = trips(persons, chance=chance, at=began)
        ids = _enrol(persons, partners, at=began)
        staff = _people_who_log_in(ids[0])
        shopping += campaigns.visits_brought(shopping, ids, at=began)
        shopping.sort(key=lambda trip: (trip.occurred_at, trip.receipt))
        _shop(shopping, ids, partners, at=began, progress=progress)
        _name_what_was_seen(partners)
        _correct(ids, staff, chance, at=began)
        economy.make_offers(at=at)
        catalogue.stock_the_catalogue(at=at)
        catalogue.mark_favourites(Member.objects.get(pk=ids[0]), at=at)
        vouchers.issue_vouchers(demo_member_id=ids[0], staff_id=staff.pk, at=at)
        economy.bring_goods_back(
            [ids[0], *chance.sample(sorted(ids.values())[1:], k=min(8, len(ids) - 1))], at=began
        )
        challenges.make_challenges(demo_member_id=ids[0], joined=sorted(ids.values())[1:40], at=at)
        others = [member_id for member_id in sorted(ids.values()) if member_id != ids[0]][:59]
        giving.make_causes(demo_member_id=ids[0], givers=others[:30], staff_id=staff.pk, at=at)
        giving.make_draws(demo_member_id=ids[0], others=others, at=at)
        redemptions.make_redemptions(demo_member_id=ids[0], others=others, staff_id=staff.pk, at=at)
        leaderboards.make_leaderboards(demo_member_id=ids[0], others=others, at=at)
        campaigns.make_campaigns(demo_member_id=ids[0], staff_id=staff.pk, at=began, run=run)
        run.progress(done=len(shopping))
        _make_segments(ids, at=at)
        nightly.run_nightly(at=at, full=True)


def _enrol(persons: list[Person], partners: dict[str, Partner], *, at: dt.datetime) -> dict[int, int]:
    """Enrol month by month, as each shop and the portal did; the members' ids by the person's number."""
    known = dict(Member.objects.values_list("email", "pk"))
    ids = {person.number: known[person.new.email] for person in persons if person.new.email in known}
    groups: dict[tuple[str, str], list[Person]] = {}
    for person in persons:
        if person.number not in ids:
            month = f"{person.new.joined_at:%Y-%m}"
            groups.setdefault((month, person.shop.slug if person.shop else ""), []).append(person)
    for (_month, slug), group in sorted(groups.items()):
        created = enrol_many(
            [person.new for person in group],
            source=Member.Source.PARTNER if slug else Member.Source.PORTAL,
            at=max(person.new.joined_at or at for person in group),
            partner=partners.get(slug),
        )
        ids |= {person.number: member.pk for person, member in zip(group, created, strict=True)}
    return ids


def _shop(
    shopping: list[Trip],
    ids: dict[int, int],
    partners: dict[str, Partner],
    *,
    at: dt.datetime,
    progress: Progress,
) -> None:
    """Record the purchases a few days at a time; at each turn of the month points expire and tiers are reviewed."""
    done = 0
    for batch, until in _by_days(shopping, at):
        record_and_reward_many(
            [_activity(trip, ids, partners) for trip in batch],
            at=max(batch[-1].occurred_at, until) if batch else until,
        )
        _keep_house(until, ids)
        done += len(batch)
        progress(done, len(shopping))


def _by_days(shopping: list[Trip], at: dt.datetime) -> Iterator[tuple[list[Trip], dt.datetime]]:
    """The purchases in steps of some days, each with the moment at which it ends (never past ``at``)."""
    batch: list[Trip] = []
    until = _next_stop(shopping[0].occurred_at)
    for trip in shopping:
        while trip.occurred_at >= until:
            yield batch, min(until, at)
            batch, until = [], _next_stop(until)
        batch.append(trip)
    yield batch, at


def _next_stop(moment: dt.datetime) -> dt.datetime:
    """Midnight in Helsinki some days on, but the first of the next month at the latest."""
    day = moment.astimezone(HELSINKI).date()
    month_end = (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    stop = min(day + dt.timedelta(days=DAYS_A_BATCH), month_end)
    return dt.datetime.combine(stop, dt.time(), tzinfo=HELSINKI).astimezone(dt.UTC)


def _keep_house(moment: dt.datetime, ids: dict[int, int]) -> None:
    """What the nightly jobs did at the turn of a month."""
    if moment.astimezone(HELSINKI).day == 1:
        while ledger.expire_due(at=moment, limit=10_000):
            pass
        tier_review.review(at=moment, limit=len(ids))


def _activity(trip: Trip, ids: dict[int, int], partners: dict[str, Partner]) -> NewActivity:
    return NewActivity(
        partner_id=partners[trip.shop.slug].pk,
        member_id=ids[trip.person.number],
        external_id=trip.receipt,
        kind="purchase",
        occurred_at=trip.occurred_at,
        currency="EUR",
        total=trip.total,
        store=trip.store,
        channel=trip.channel,
        lines=trip.lines,
    )


def _name_what_was_seen(partners: dict[str, Partner]) -> None:
    """Stores and products came into being by their codes; give them their names."""
    for shop in SHOPS:
        names = {code: name for code, name, _city in shop.stores} | dict(
            [shop.web_store] if shop.web_store else []
        )
        stores = list(Store.objects.filter(partner=partners[shop.slug]))
        for store in stores:
            store.name = names.get(store.code, "")
        Store.objects.bulk_update(stores, ["name"])
        wares = {ware.sku: ware.name for ware in shop.wares}
        products = list(Product.objects.filter(partner=partners[shop.slug]))
        for product in products:
            product.name = wares.get(product.sku, "")
        Product.objects.bulk_update(products, ["name"])


def _correct(ids: dict[int, int], staff: User, chance: random.Random, *, at: dt.datetime) -> None:
    """A few corrections by staff, so that the ledger shows what they look like."""
    for number in chance.sample(sorted(ids)[1:], k=min(9, len(ids) - 1)):
        points, note = chance.choice(CORRECTIONS)
        occasion = f"demo correction {number}"
        try:
            adjust(
                member_id=ids[number], points=points, staff_id=staff.pk, note=note, at=at, occasion=occasion
            )
        except ledger.InsufficientPoints:
            continue


def _make_segments(ids: dict[int, int], *, at: dt.datetime) -> None:
    """A list of invited members beside the ready-made segments, and all of them filled."""
    friends = definition.create(
        code="tasting-evening",
        names={"fi": "Maisteluilta", "sv": "Provsmakningskväll", "en": "Tasting evening"},
        kind=Segment.Kind.LIST,
        data={},
        at=at,
    )
    invited = lists.Checked(sorted(ids.values())[:12], (), 12)
    lists.take_in(segment_id=friends.pk, checked=invited, mode=lists.Mode.ADD, at=at)
    value.compute(at=at)
    for segment_id in refresh.new_segments():
        refresh.refresh(segment_id=segment_id, at=at)


def _people_who_log_in(member_id: int) -> User:
    """The staff member and the demo member's log-in, both without a usable password as yet."""
    staff = _user(STAFF_EMAIL, is_staff=True, is_superuser=True)
    user = _user(DEMO_EMAIL)
    Member.objects.filter(pk=member_id).update(user=user)
    return staff


def _user(email: str, **fields: Any) -> User:
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, **fields)
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return user


# --- Log-ins ------------------------------------------------------------------------------------------------------


def credentials(home: Path) -> dict[str, Any]:
    """The log-ins kept in the home folder; made afresh (new passwords, a new key) when the file is not there."""
    file = home / CREDENTIALS
    if file.exists():
        return json.loads(file.read_text())  # type: ignore[no-any-return]
    fresh = _fresh_credentials()
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f".{CREDENTIALS}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(fresh, stream, indent=2)
    draft.replace(file)
    return fresh


def _fresh_credentials() -> dict[str, Any]:
    """New passwords for the two log-ins, and a new key of the first partner with every scope."""
    passwords = {}
    with transaction.atomic():
        for email in (STAFF_EMAIL, DEMO_EMAIL):
            user = User.objects.get(email=email)
            passwords[email] = (
                "-".join(secrets.choice(_WORDS) for _ in range(3)) + f"-{secrets.randbelow(90) + 10}"
            )
            user.set_password(passwords[email])
            user.save(update_fields=["password"])
        _key, text = create_key(partner=Partner.objects.get(slug=SHOPS[0].slug), name="Demo")
    member = Member.objects.get(user__email=DEMO_EMAIL)
    return {
        "staff": {"email": STAFF_EMAIL, "password": passwords[STAFF_EMAIL]},
        "member": {"email": DEMO_EMAIL, "password": passwords[DEMO_EMAIL], "id": str(member.public_id)},
        "partner": {"api_key": text},
    }
