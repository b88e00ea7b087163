"""The demo's two partners, their stores and what they sell, with prices in euros and the months of each season."""

from dataclasses import dataclass
from decimal import Decimal

ALL_YEAR = tuple(range(1, 13))


@dataclass(frozen=True)
class Ware:
    """A product: ``weight`` says how often it lands in a basket; sold by the kilogram when ``by_weight``."""

    sku: str
    name: str
    category: str
    department: str
    price: Decimal
    weight: float
    months: tuple[int, ...] = ALL_YEAR
    by_weight: bool = False


@dataclass(frozen=True)
class Shop:
    """A partner with its stores (code, name, city) and its wares."""

    slug: str
    name: str
    stores: tuple[tuple[str, str, str], ...]
    web_store: tuple[str, str] | None
    opens: int
    closes: int
    wares: tuple[Ware, ...]


def _wares(department: str, text: str) -> list[Ware]:
    """One ware a line: sku | name | category | price | weight | "kg" | months."""
    wares = []
    for line in text.strip().splitlines():
        sku, name, category, price, weight, *rest = (part.strip() for part in line.split("|"))
        months = tuple(int(month) for month in rest[1].split(",")) if len(rest) > 1 else ALL_YEAR
        wares.append(
            Ware(
                sku,
                name,
                category,
                department,
                Decimal(price),
                float(weight),
                months,
                bool(rest and rest[0] == "kg"),
            )
        )
    return wares


_FOOD = _wares(
    "Elintarvikkeet",
    """
    1001 | Kevytmaito 1 l | Maitotuotteet | 1.19 | 9
    1002 | Kaurajuoma 1 l | Maitotuotteet | 1.99 | 5
    1003 | Maustamaton jogurtti 1 kg | Maitotuotteet | 2.35 | 5
    1004 | Maitorahka 250 g | Maitotuotteet | 1.09 | 5
    1005 | Kermajuusto 1 kg | Juustot | 8.95 | 4
    1006 | Leipäjuusto 250 g | Juustot | 4.59 | 2
    1007 | Voi 500 g | Maitotuotteet | 4.29 | 3
    1008 | Kananmunat 10 kpl | Munat | 3.15 | 6
    1011 | Ruisleipä 500 g | Leipä | 2.79 | 8
    1012 | Kauraleipä 400 g | Leipä | 2.99 | 5
    1013 | Karjalanpiirakat 6 kpl | Leipä | 3.49 | 4
    1014 | Korvapuustit 4 kpl | Leivonnaiset | 4.20 | 2
    1021 | Banaani | Hedelmät | 1.69 | 9 | kg
    1022 | Omena Lobo | Hedelmät | 2.49 | 5 | kg
    1023 | Appelsiini | Hedelmät | 2.19 | 3 | kg | 11,12,1,2,3,4
    1024 | Mansikat 500 g | Marjat | 5.90 | 8 | | 6,7
    1025 | Mustikat 500 g | Marjat | 6.50 | 4 | | 7,8
    1031 | Peruna | Vihannekset | 1.29 | 5 | kg
    1032 | Varhaisperuna | Vihannekset | 2.95 | 6 | kg | 6,7
    1033 | Tomaatti | Vihannekset | 3.49 | 7 | kg
    1034 | Kurkku | Vihannekset | 3.29 | 7 | kg
    1035 | Jäävuorisalaatti | Vihannekset | 1.99 | 4
    1036 | Porkkana 1 kg | Vihannekset | 1.49 | 5
    1037 | Kantarelli 200 g | Sienet | 4.90 | 2 | | 8,9
    1041 | Jauheliha 400 g | Liha | 4.79 | 5
    1042 | Broilerin fileesuikale 450 g | Liha | 5.49 | 4
    1043 | Grillimakkara 400 g | Makkarat | 2.99 | 7 | | 5,6,7,8
    1044 | Lenkkimakkara 500 g | Makkarat | 3.29 | 3
    1045 | Joulukinkku | Liha | 7.95 | 5 | kg | 12
    1046 | Kirjolohifilee | Kala | 19.90 | 2 | kg
    1047 | Silakkafilee 300 g | Kala | 4.49 | 1
    1048 | Härkis 250 g | Kasviproteiinit | 3.95 | 3
    1051 | Spagetti 1 kg | Kuiva-aineet | 1.89 | 3
    1052 | Kaurahiutaleet 1 kg | Kuiva-aineet | 1.79 | 4
    1053 | Puuroriisi 1 kg | Kuiva-aineet | 2.59 | 2 | | 11,12,1
    1054 | Hernekeitto 520 g | Säilykkeet | 1.69 | 2
    1055 | Kahvi 500 g | Kahvi ja tee | 7.49 | 6
    1056 | Glögi 1 l | Juomat | 3.29 | 5 | | 11,12
    1057 | Sima 1,5 l | Juomat | 2.99 | 5 | | 4,5
    1058 | Appelsiinimehu 1 l | Juomat | 2.19 | 4
    1059 | Kivennäisvesi 1,5 l | Juomat | 1.35 | 4
    1061 | Salmiakki 300 g | Makeiset | 3.45 | 4
    1062 | Maitosuklaa 200 g | Makeiset | 3.95 | 5
    1063 | Mämmi 700 g | Makeiset | 3.59 | 4 | | 3,4
    1064 | Vaniljajäätelö 1 l | Pakasteet | 4.25 | 3
    1065 | Pakastepizza | Pakasteet | 3.59 | 3
    1066 | Pakasteherneet 750 g | Pakasteet | 2.29 | 2
    """,
) + _wares(
    "Kodin tavarat",
    """
    2001 | WC-paperi 8 rullaa | Paperit | 5.95 | 3
    2002 | Talouspaperi 4 rullaa | Paperit | 4.49 | 2
    2003 | Astianpesutabletit 60 kpl | Pesuaineet | 11.90 | 1
    2004 | Pyykinpesuneste 1 l | Pesuaineet | 7.95 | 1.5
    2005 | Hammastahna | Hygienia | 2.95 | 1.5
    2006 | Shampoo 250 ml | Hygienia | 4.95 | 1
    2007 | Kynttilät 30 kpl | Sisustus | 5.49 | 2 | | 10,11,12,1
    2008 | Kissanruoka 12 pussia | Lemmikit | 6.49 | 1.5
    2009 | Aurinkovoide | Hygienia | 12.90 | 1.5 | | 5,6,7
    """,
)

_CAFE = _wares(
    "Kahvila",
    """
    k01 | Suodatinkahvi | Kuumat juomat | 3.20 | 9
    k02 | Cappuccino | Kuumat juomat | 4.60 | 7
    k03 | Kaurakaakao | Kuumat juomat | 4.90 | 3 | | 10,11,12,1,2,3
    k04 | Jäälatte | Kylmät juomat | 5.40 | 4 | | 5,6,7,8
    k05 | Korvapuusti | Leivonnaiset | 4.20 | 6
    k06 | Laskiaispulla | Leivonnaiset | 5.50 | 7 | | 1,2
    k07 | Runebergintorttu | Leivonnaiset | 4.80 | 5 | | 1,2
    k08 | Joulutorttu | Leivonnaiset | 3.90 | 6 | | 11,12
    k09 | Lohikeitto ja leipä | Lounas | 12.90 | 4
    k10 | Päivän kasvislounas | Lounas | 11.90 | 3
    k11 | Karjalanpiirakka munavoilla | Suolaiset | 3.90 | 4
    """,
)

GROCER = Shop(
    "kaarna",
    "Kaarna Market",
    (
        ("kallio", "Kaarna Kallio", "Helsinki"),
        ("toolo", "Kaarna Töölö", "Helsinki"),
        ("tapiola", "Kaarna Tapiola", "Espoo"),
        ("tammela", "Kaarna Tammela", "Tampere"),
        ("portsa", "Kaarna Portsa", "Turku"),
        ("tuira", "Kaarna Tuira", "Oulu"),
    ),
    ("verkkokauppa", "Kaarna verkossa"),
    7,
    21,
    tuple(_FOOD),
)
CAFE = Shop(
    "havu",
    "Kahvila Havu",
    (
        ("hakaniemi", "Havu Hakaniemi", "Helsinki"),
        ("leppavaara", "Havu Leppävaara", "Espoo"),
        ("tammelantori", "Havu Tammelantori", "Tampere"),
        ("aurajoki", "Havu Aurajoki", "Turku"),
        ("rotuaari", "Havu Rotuaari", "Oulu"),
    ),
    None,
    8,
    18,
    tuple(_CAFE),
)
SHOPS = (GROCER, CAFE)
CITIES = {"Helsinki": 5.0, "Espoo": 2.0, "Tampere": 2.0, "Turku": 1.5, "Oulu": 1.0}
