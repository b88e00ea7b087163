"""The demo's catalogue: rewards of a grocer and its café, their vouchers, shelves, pictures and either-ors.

Called by the seeding of the demo; what is there already stays as it is.
"""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from loyalty.partners.models import Partner
from members.models import Member, Tier
from rewards.catalogue import favourites, pictures, stock
from rewards.demo.drawing import drawn
from rewards.demo.shopping import HELSINKI
from rewards.demo.wares import CAFE, GROCER
from rewards.models import Aversion, AversionKind, Reward, RewardCategory, VoucherFamily

DAY = dt.timedelta(days=1)
Texts = dict[str, str]


def _texts(fi: str, sv: str, en: str) -> Texts:
    return {"fi": fi, "sv": sv, "en": en}


SHELVES: tuple[tuple[str, Texts], ...] = (
    ("cafe", _texts("Kahvila", "Kafé", "Café")),
    ("grocery", _texts("Ruokakauppa", "Livsmedel", "Groceries")),
    ("home", _texts("Kotiin", "Till hemmet", "For the home")),
    ("experiences", _texts("Elämykset", "Upplevelser", "Experiences")),
)


@dataclass(frozen=True, kw_only=True)
class Offered:
    """A reward of the demo. ``voucher``: columns of its voucher family, None where staff hand it over."""

    code: str
    picture: str
    shelf: str
    points: int
    names: Texts
    descriptions: Texts
    shows: Texts
    instructions: Texts
    voucher: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    partner: str = ""
    pieces: int | None = None
    tier: str = ""
    early_tier: str = ""


AT_THE_CAFE = _texts(
    "Näytä koodi kassalla ennen kuin maksat.",
    "Visa koden i kassan innan du betalar.",
    "Show the code at the counter before you pay.",
)
AT_THE_TILL = _texts(
    "Näytä koodi kassalla tai syötä se verkkokaupan kassalla.",
    "Visa koden i kassan eller skriv in den i webbutikens kassa.",
    "Show the code at the till, or type it in at the web shop's checkout.",
)
AT_THE_DESK = _texts(
    "Nouda tuote asiakaspalvelusta. Näytä koodi ja henkilötodistus.",
    "Hämta varan i kundtjänsten. Visa koden och legitimation.",
    "Collect it at the service desk. Show the code and an identity document.",
)

_PRODUCT = VoucherFamily.Kind.PRODUCT


def _free(*skus: str, partner: str = CAFE.slug, days: int = 30) -> dict[str, Any]:
    """A voucher for a product for nothing."""
    return {"kind": _PRODUCT, "skus": list(skus), "partner": partner, "valid_days": days}


OFFERED: tuple[Offered, ...] = (
    Offered(
        code="filter-coffee",
        picture="coffee",
        shelf="cafe",
        points=120,
        names=_texts("Suodatinkahvi", "Bryggkaffe", "Filter coffee"),
        descriptions=_texts(
            "Kuppi tummaa tai vaaleaa kahvia missä tahansa Kahvila Havussa. Santsikuppi kuuluu hintaan.",
            "En kopp mörk- eller ljusrostat kaffe på valfritt Kahvila Havu. Påtår ingår.",
            "A cup of dark or light roast at any Kahvila Havu. The refill is included.",
        ),
        shows=_texts("Höyryävä kahvikuppi", "En rykande kaffekopp", "A steaming cup of coffee"),
        instructions=AT_THE_CAFE,
        voucher=_free("k01"),
        facts={"skus": ["k01"]},
        tags=("kahvi",),
        partner=CAFE.slug,
    ),
    Offered(
        code="cinnamon-bun",
        picture="bun",
        shelf="cafe",
        points=160,
        names=_texts("Korvapuusti", "Kanelbulle", "Cinnamon bun"),
        descriptions=_texts(
            "Aamulla leivottu korvapuusti. Raesokeria niin kuin kuuluu.",
            "En kanelbulle bakad samma morgon. Pärlsocker som det ska vara.",
            "A cinnamon bun baked this morning. Pearl sugar, as it should be.",
        ),
        shows=_texts(
            "Kaksi korvapuustia lautasella", "Två kanelbullar på ett fat", "Two cinnamon buns on a plate"
        ),
        instructions=AT_THE_CAFE,
        voucher=_free("k05"),
        facts={"skus": ["k05"]},
        tags=("leivonnaiset",),
        partner=CAFE.slug,
    ),
    Offered(
        code="cappuccino-and-bun",
        picture="cappuccino",
        shelf="cafe",
        points=320,
        names=_texts("Cappuccino ja korvapuusti", "Cappuccino och kanelbulle", "Cappuccino and cinnamon bun"),
        descriptions=_texts(
            "Hetki omaa aikaa. Cappuccinon saa myös kaurajuomaan.",
            "En stund för dig själv. Cappuccinon får du också med havredryck.",
            "A moment to yourself. The cappuccino comes with oat drink too, if you like.",
        ),
        shows=_texts(
            "Cappuccino ja korvapuusti", "En cappuccino och en kanelbulle", "A cappuccino and a bun"
        ),
        instructions=AT_THE_CAFE,
        voucher=_free("k02", "k05"),
        facts={"skus": ["k02", "k05"]},
        tags=("kahvi", "leivonnaiset"),
        partner=CAFE.slug,
    ),
    Offered(
        code="oat-drink",
        picture="oat_drink",
        shelf="grocery",
        points=150,
        names=_texts("Kaurajuoma 1 l", "Havredryck 1 l", "Oat drink, 1 l"),
        descriptions=_texts(
            "Suomalaisesta kaurasta, sopii kahviin ja puuroon.",
            "Av finländsk havre, passar i kaffet och gröten.",
            "Made of Finnish oats, good in coffee and in porridge.",
        ),
        shows=_texts("Kaurajuomatölkki", "En kartong havredryck", "A carton of oat drink"),
        instructions=AT_THE_TILL,
        voucher=_free("1002", partner=GROCER.slug),
        facts={"skus": ["1002"]},
        tags=("kaura",),
    ),
    Offered(
        code="milk",
        picture="milk",
        shelf="grocery",
        points=100,
        names=_texts("Kevytmaito 1 l", "Lättmjölk 1 l", "Semi-skimmed milk, 1 l"),
        descriptions=_texts(
            "Tölkki kevytmaitoa läheltä.",
            "En kartong lättmjölk från nära håll.",
            "A carton of milk from nearby.",
        ),
        shows=_texts(
            "Maitotölkki ja lasi maitoa", "En mjölkkartong och ett glas mjölk", "A carton and a glass of milk"
        ),
        instructions=AT_THE_TILL,
        voucher=_free("1001", partner=GROCER.slug),
        facts={"skus": ["1001"]},
    ),
    Offered(
        code="berries",
        picture="berries",
        shelf="grocery",
        points=480,
        names=_texts("Rasia marjoja", "En ask bär", "A punnet of berries"),
        descriptions=_texts(
            "Mansikoita tai mustikoita, mitä kesä antaa. Pakastealtaasta talvella.",
            "Jordgubbar eller blåbär, vad sommaren ger. Från frysdisken på vintern.",
            "Strawberries or blueberries, whatever summer gives. From the freezer in winter.",
        ),
        shows=_texts("Marjoja korissa", "Bär i en korg", "Berries in a basket"),
        instructions=AT_THE_TILL,
        voucher=_free("1024", "1025", partner=GROCER.slug),
        facts={"skus": ["1024", "1025"]},
    ),
    Offered(
        code="five-euros",
        picture="money_off",
        shelf="grocery",
        points=500,
        names=_texts("5 € ostoksista", "5 € på köpet", "5 € off"),
        descriptions=_texts(
            "Viisi euroa pois vähintään 30 euron ostoksesta Kaarna Marketissa tai verkkokaupassa.",
            "Fem euro av på ett köp för minst 30 euro hos Kaarna Market eller i webbutiken.",
            "Five euros off a purchase of at least 30 euros at Kaarna Market or in its web shop.",
        ),
        shows=_texts("Euroseteleitä", "Ett värdebevis i euro", "A voucher with a euro sign"),
        instructions=AT_THE_TILL,
        voucher={
            "kind": VoucherFamily.Kind.AMOUNT,
            "value": Decimal(5),
            "minimum_purchase": Decimal(30),
            "partner": GROCER.slug,
            "valid_days": 60,
        },
        facts={"kind": Reward.Kind.DISCOUNT},
    ),
    Offered(
        code="ten-percent",
        picture="percent",
        shelf="grocery",
        points=900,
        names=_texts("10 % yhdestä ostoksesta", "10 % på ett köp", "10% off one purchase"),
        descriptions=_texts(
            "Kymmenen prosenttia pois koko ostoskorista, enintään 15 euroa. Kerran kuussa.",
            "Tio procent av på hela korgen, högst 15 euro. En gång i månaden.",
            "Ten per cent off the whole basket, 15 euros at most. Once a month.",
        ),
        shows=_texts(
            "Hintalappu, jossa on prosenttimerkki",
            "En prislapp med procenttecken",
            "A tag with a per cent sign",
        ),
        instructions=AT_THE_TILL,
        voucher={
            "kind": VoucherFamily.Kind.PERCENT,
            "value": Decimal(10),
            "at_most": Decimal(15),
            "partner": GROCER.slug,
            "valid_days": 30,
        },
        facts={"kind": Reward.Kind.DISCOUNT, "limit_per_member": 1, "limit_per_member_period": "month"},
    ),
    Offered(
        code="salmon-soup",
        picture="soup",
        shelf="cafe",
        points=620,
        names=_texts("Lohikeitto ja leipä", "Laxsoppa och bröd", "Salmon soup and bread"),
        descriptions=_texts(
            "Kahvila Havun lounas: kermainen lohikeitto, ruisleipää ja voita.",
            "Lunch på Kahvila Havu: krämig laxsoppa, rågbröd och smör.",
            "Lunch at Kahvila Havu: creamy salmon soup, rye bread and butter.",
        ),
        shows=_texts("Kulhollinen lohikeittoa", "En skål laxsoppa", "A bowl of salmon soup"),
        instructions=AT_THE_CAFE,
        voucher=_free("k09"),
        facts={"skus": ["k09"], "limit_in_all": 40, "limit_in_all_period": "day"},
        tags=("lounas",),
        partner=CAFE.slug,
    ),
    Offered(
        code="tote-bag",
        picture="tote",
        shelf="home",
        points=700,
        names=_texts("Kaarnan kangaskassi", "Kaarnas tygkasse", "Kaarna's tote bag"),
        descriptions=_texts(
            "Luomupuuvillaa, kantaa kymmenen kiloa. Kuosi on tehty tälle vuodelle.",
            "Av ekologisk bomull, bär tio kilo. Mönstret är gjort för i år.",
            "Organic cotton that carries ten kilograms. The print is this year's own.",
        ),
        shows=_texts(
            "Kangaskassi, jossa on kuusia", "En tygkasse med granar på", "A tote bag with spruces on it"
        ),
        instructions=AT_THE_DESK,
        pieces=8,
        tags=("uutuus",),
        facts={"limit_per_member": 2, "limit_per_member_period": "year"},
    ),
    Offered(
        code="flask",
        picture="flask",
        shelf="home",
        points=1800,
        names=_texts("Termospullo", "Termosflaska", "Insulated flask"),
        descriptions=_texts(
            "Pitää kahvin kuumana retken verran. Pisteiden lisäksi 5 euroa kassalla.",
            "Håller kaffet varmt hela utflykten. Utöver poängen 5 euro i kassan.",
            "Keeps coffee hot for as long as the walk takes. Points, and 5 euros at the till.",
        ),
        shows=_texts("Keltainen termospullo", "En gul termosflaska", "A yellow flask"),
        instructions=AT_THE_DESK,
        pieces=60,
        facts={"money": Decimal(5)},
    ),
    Offered(
        code="lunch-for-two",
        picture="lunch_for_two",
        shelf="experiences",
        points=2400,
        names=_texts("Lounas kahdelle", "Lunch för två", "Lunch for two"),
        descriptions=_texts(
            "Kutsu ystävä lounaalle Kahvila Havuun: pääruoat, kahvit ja jälkiruoka kahdelle.",
            "Bjud en vän på lunch på Kahvila Havu: huvudrätter, kaffe och efterrätt för två.",
            "Invite a friend to Kahvila Havu: two main courses, coffee and dessert.",
        ),
        shows=_texts("Kaksi katettua lautasta", "Två dukade tallrikar", "Two plates on a table"),
        instructions=AT_THE_CAFE,
        voucher=_free("k09", "k10", days=90),
        facts={"kind": Reward.Kind.PARTNER},
        tier="silver",
        tags=("lounas",),
        partner=CAFE.slug,
    ),
    Offered(
        code="roastery-tour",
        picture="roastery",
        shelf="experiences",
        points=3500,
        names=_texts("Ilta paahtimolla", "En kväll på rosteriet", "An evening at the roastery"),
        descriptions=_texts(
            "Paahtomestari näyttää, miten papu muuttuu kahviksi. Maistelu, iltapala ja pussi kotiin vietäväksi.",
            "Rostmästaren visar hur en böna blir kaffe. Provning, kvällsbit och en påse att ta hem.",
            "The master roaster shows how a bean becomes coffee. A tasting, supper and a bag to take home.",
        ),
        shows=_texts(
            "Kahvipaahdin ja säkillinen papuja",
            "En kafferost och en säck bönor",
            "A coffee roaster and a sack of beans",
        ),
        instructions=_texts(
            "Saat ajan ja paikan sähköpostitse. Näytä koodi ovella.",
            "Tid och plats får du per e-post. Visa koden vid dörren.",
            "We send you the time and place by e-mail. Show the code at the door.",
        ),
        pieces=24,
        facts={"kind": Reward.Kind.EXPERIENCE, "collect_days": 60, "limit_per_member": 2},
        early_tier="gold",
        tags=("uutuus", "kahvi"),
        partner=CAFE.slug,
    ),
    Offered(
        code="cottage-weekend",
        picture="cottage",
        shelf="experiences",
        points=12_000,
        names=_texts("Mökkiviikonloppu", "Stugveckoslut", "A weekend at a cottage"),
        descriptions=_texts(
            "Kaksi yötä saaristomökissä neljälle. Ruokakassi Kaarna Marketista odottaa jääkaapissa.",
            "Två nätter i en skärgårdsstuga för fyra. En matkasse från Kaarna Market väntar i kylskåpet.",
            "Two nights for four in the archipelago. A bag of groceries from Kaarna Market waits in the fridge.",
        ),
        shows=_texts("Punainen mökki rannalla", "En röd stuga vid stranden", "A red cottage by the sea"),
        instructions=_texts(
            "Soitamme sinulle ja sovimme viikonlopun.",
            "Vi ringer dig och kommer överens om ett veckoslut.",
            "We call you and agree on a weekend.",
        ),
        pieces=6,
        facts={"kind": Reward.Kind.EXPERIENCE, "collect_days": 180, "limit_per_member": 1},
        tags=("uutuus",),
    ),
)

EITHER_ORS: tuple[tuple[str, Texts, tuple[tuple[str, Texts, list[str], list[str]], ...]], ...] = (
    (
        "milk",
        _texts("Maito", "Mjölk", "Milk"),
        (
            ("dairy", _texts("lehmänmaito", "komjölk", "cow's milk"), ["1001"], []),
            ("oat", _texts("kaurajuoma", "havredryck", "oat drink"), ["1002", "k03"], []),
        ),
    ),
    (
        "fish",
        _texts("Kala", "Fisk", "Fish"),
        (("fish", _texts("kala", "fisk", "fish"), ["k09", "1046", "1047"], ["Kala"]),),
    ),
    (
        "pastry",
        _texts("Makea", "Sött", "Sweet things"),
        (("pastry", _texts("leivonnaiset", "bakverk", "pastry"), ["k05", "1014"], ["Leivonnaiset"]),),
    ),
)


def stock_the_catalogue(*, at: dt.datetime) -> None:
    """Put the demo's rewards on their shelves, with pictures and vouchers. Once."""
    if Reward.objects.exists():
        return
    shelves = {
        code: RewardCategory.objects.get_or_create(code=code, defaults={"names": names, "position": place})[0]
        for place, (code, names) in enumerate(SHELVES)
    }
    partners = {partner.slug: partner for partner in Partner.objects.all()}
    tiers = {tier.code: tier for tier in Tier.objects.all()}
    for offered in OFFERED:
        reward = Reward.objects.create(
            **_columns(offered, at=at),
            category=shelves[offered.shelf],
            partner=partners.get(offered.partner),
            minimum_tier=tiers.get(offered.tier),
            early_tier=tiers.get(offered.early_tier),
            voucher_family=_family(offered, partners),
            picture=pictures.take_in(drawn(offered.picture), at=at),
        )
        if offered.pieces is not None:
            stock.set_total(reward_id=reward.pk, total=offered.pieces)
    _keep_either_ors()


def mark_favourites(member: Member, *, at: dt.datetime) -> None:
    """The demo member saves for something, and has marked what they like."""
    for reward in Reward.objects.filter(code__in=["cappuccino-and-bun", "cottage-weekend"]).order_by("pk"):
        favourites.mark(member_id=member.pk, reward=reward, at=at)


def _columns(offered: Offered, *, at: dt.datetime) -> dict[str, Any]:
    """The reward's own columns."""
    given = Reward.Fulfilment.COLLECT if offered.voucher is None else Reward.Fulfilment.VOUCHER
    early = {}
    if offered.early_tier:
        early = {"early_opens_at": _morning(at - 3 * DAY), "opens_at": _morning(at + 7 * DAY)}
    return {
        "code": offered.code,
        "kind": Reward.Kind.PRODUCT,
        "names": offered.names,
        "descriptions": offered.descriptions,
        "picture_texts": offered.shows,
        "instructions": offered.instructions,
        "points": offered.points,
        "tags": list(offered.tags),
        "fulfilment": given,
        "is_active": True,
        **early,
        **offered.facts,
    }


def _morning(moment: dt.datetime) -> dt.datetime:
    """Nine o'clock in Helsinki on that day."""
    return moment.astimezone(HELSINKI).replace(hour=9, minute=0, second=0, microsecond=0)


def _family(offered: Offered, partners: dict[str, Partner]) -> VoucherFamily | None:
    if offered.voucher is None:
        return None
    columns = offered.voucher | {"partner": partners.get(offered.voucher["partner"]), "names": offered.names}
    return VoucherFamily.objects.get_or_create(code=offered.code, defaults=columns)[0]


def _keep_either_ors() -> None:
    for code, names, kinds in EITHER_ORS:
        aversion, _is_new = Aversion.objects.get_or_create(code=code, defaults={"names": names})
        for kind, called, skus, categories in kinds:
            AversionKind.objects.get_or_create(
                aversion=aversion,
                code=kind,
                defaults={"names": called, "skus": skus, "categories": categories},
            )
