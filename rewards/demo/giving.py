"""The demo's causes and draws: two to give points to, one draw to enter and one that was held.

Everything goes the way it goes in real life. Called by the seeding of the demo; what is there already stays as it is.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rewards.causes import giving, payouts
from rewards.draws import entries, holding, opening, prizes
from rewards.models import Cause, Draw, DrawPrize, Redemption, Reward, RewardCategory
from rewards.redemption import placing
from rewards.redemption.refusals import Refused

DAY = dt.timedelta(days=1)
SOURCE = "rewards.demo"


def _texts(fi: str, sv: str, en: str) -> dict[str, str]:
    return {"fi": fi, "sv": sv, "en": en}


CAUSES: tuple[dict[str, Any], ...] = (
    {
        "code": "baltic-sea",
        "names": _texts("Puhdas Itämeri", "Ett rent Östersjön", "A clean Baltic Sea"),
        "descriptions": _texts(
            "Saariston pelloilta valuu mereen vähemmän ravinteita, kun pellot kipsataan. Pisteesi levittävät kipsiä.",
            "Från skärgårdens åkrar rinner mindre näring ut i havet när de gipsas. Dina poäng sprider gips.",
            "Less nutrient runs from the fields into the sea when they are spread with gypsum. Your points do that.",
        ),
        "thanks": _texts(
            "Kiitos! Jokainen lahjoitettu piste pitää muutaman sinilevälautan poissa rannoilta.",
            "Tack! Varje poäng håller några algmattor borta från stränderna.",
            "Thank you! Every point keeps a few mats of algae off the shores.",
        ),
        "recipient": "Saaristomeren ystävät ry",
        "point_value": Decimal("0.0050"),
        "least_points": 50,
        "goal": Decimal("500.00"),
    },
    {
        "code": "school-breakfast",
        "names": _texts("Aamupala koululaisille", "Frukost för skolelever", "Breakfast for schoolchildren"),
        "descriptions": _texts(
            "Kallion koulujen aamupalapöytä on auki jokaisena koulupäivänä. 400 pistettä on yksi aamupala.",
            "Frukostbordet i Berghälls skolor är öppet varje skoldag. 400 poäng är en frukost.",
            "The breakfast table of the schools in Kallio is open every school day. 400 points make one breakfast.",
        ),
        "thanks": _texts(
            "Kiitos! Kaurapuuro on jo tulella.",
            "Tack! Havregröten står redan på spisen.",
            "Thank you! The porridge is on the stove already.",
        ),
        "recipient": "Kallion koulujen vanhemmat ry",
        "point_value": Decimal("0.0050"),
        "least_points": 100,
    },
)

RULES = _texts(
    "Järjestäjä on Kauppahalli Havu. Osallistua voivat kaikki jäsenet. Voittajille kirjoitetaan portaaliin.",
    "Arrangör är Saluhallen Havu. Alla medlemmar får delta. Vinnarna får besked i portalen.",
    "The organiser is Havu Market Hall. Every member may enter. Winners hear of it in the portal.",
)


def make_causes(*, demo_member_id: int, givers: Sequence[int], staff_id: int, at: dt.datetime) -> None:
    """Two causes with gifts and a first payment. Once."""
    if Cause.objects.exists():
        return
    causes = [Cause.objects.create(**facts) for facts in CAUSES]
    for number, member_id in enumerate((demo_member_id, *givers)):
        cause = causes[number % 2]
        _give(member_id, cause, 100 * (1 + number % 4), at=at - (20 - number % 18) * DAY)
    payouts.record(
        cause_id=causes[0].pk,
        amount=Decimal("5.00"),
        paid_on=(at - DAY).date(),
        reference="RF18 5390 0754 7034",
        staff_id=staff_id,
        token=uuid.uuid5(uuid.NAMESPACE_URL, "demo payout"),
        at=at,
        today=at.date(),
        beyond=True,
    )


def _give(member_id: int, cause: Cause, points: int, *, at: dt.datetime) -> None:
    try:
        giving.give(member_id=member_id, cause_id=cause.pk, points=points, via=Redemption.Via.PORTAL, at=at)
    except Refused:
        return  # they had not so many points


def make_draws(*, demo_member_id: int, others: Sequence[int], at: dt.datetime) -> None:
    """A draw that is open, entered by points, and one that was held, recomputable like any other. Once."""
    if Draw.objects.exists():
        return
    _held(demo_member_id, others, at=at)
    weekend = Draw.objects.create(
        code="archipelago-weekend",
        names=_texts("Viikonloppu saaristossa", "En helg i skärgården", "A weekend in the archipelago"),
        descriptions=_texts(
            "Kaksi yötä majakkasaarella kahdelle, matkat Turusta mukaan lukien.",
            "Två nätter på en fyrö för två, med resor från Åbo.",
            "Two nights on a lighthouse island for two, with the journey from Turku.",
        ),
        rules=RULES,
        opens_at=at - 5 * DAY,
        closes_at=at + 25 * DAY,
        draws_at=at + 28 * DAY,
        entries_per_member=10,
    )
    _prize(weekend, _texts("Viikonloppu kahdelle", "En helg för två", "A weekend for two"))
    _prize(weekend, _texts("500 pistettä", "500 poäng", "500 points"), quantity=5, points=500)
    opening.open_draw(draw_id=weekend.pk, at=at - 5 * DAY)
    way_in = Reward.objects.create(
        code="archipelago-entry",
        kind=Reward.Kind.DRAW_ENTRY,
        fulfilment=Reward.Fulfilment.AT_ONCE,
        names=_texts(
            "Arpa: viikonloppu saaristossa",
            "Lott: en helg i skärgården",
            "Draw: a weekend in the archipelago",
        ),
        descriptions=weekend.descriptions,
        points=50,
        draw=weekend,
        category=RewardCategory.objects.filter(code="experiences").first(),
        is_active=True,
        closes_at=weekend.closes_at,
    )
    for number, member_id in enumerate((demo_member_id, demo_member_id, *others)):
        _enter(member_id, way_in, at=at - (1 + number % 4) * DAY)


def _held(demo_member_id: int, others: Sequence[int], *, at: dt.datetime) -> None:
    """A draw of coffee makers that was held a week ago; its entries came with a campaign in the shop."""
    coffee = Draw.objects.create(
        code="coffee-makers",
        names=_texts("Kahvinkeittimien arvonta", "Utlottning av kaffebryggare", "Coffee maker draw"),
        descriptions=_texts(
            "Kaikkien kahvinystävien arvonta.", "För alla kaffevänner.", "For everybody who loves coffee."
        ),
        rules=RULES,
        opens_at=at - 30 * DAY,
        closes_at=at - 8 * DAY,
        draws_at=at - 7 * DAY,
    )
    _prize(coffee, _texts("Kahvinkeitin", "Kaffebryggare", "Coffee maker"), quantity=2)
    _prize(coffee, _texts("300 pistettä", "300 poäng", "300 points"), quantity=3, points=300)
    opening.open_draw(draw_id=coffee.pk, at=at - 31 * DAY)
    for number, member_id in enumerate((demo_member_id, *others)):
        entries.enter(
            draw_id=coffee.pk,
            member_id=member_id,
            chances=1 + number % 3,
            source=SOURCE,
            source_id=number,
            at=at - 20 * DAY,
        )
    holding.close(draw_id=coffee.pk, at=at - 8 * DAY)
    holding.hold(draw_id=coffee.pk, at=at - 7 * DAY)
    prizes.give_waiting(at=at - 7 * DAY)


def _prize(draw: Draw, names: dict[str, str], *, quantity: int = 1, points: int = 0) -> None:
    DrawPrize.objects.create(
        draw=draw, position=draw.prizes.count() + 1, names=names, quantity=quantity, points=points
    )


def _enter(member_id: int, way_in: Reward, *, at: dt.datetime) -> None:
    try:
        placing.place(member_id=member_id, reward_id=way_in.pk, via=Redemption.Via.PORTAL, at=at)
    except Refused:
        return  # they had not so many points
