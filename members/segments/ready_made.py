"""The segments a new installation begins with. They are staff's own from then on: changed, archived, cloned.

A migration puts them in. Like every stored condition they are data, and may ask of what floors above have declared.
"""

from typing import Any

MONTH, HALF_YEAR, YEAR = 30, 180, 365

Ready = tuple[str, dict[str, str], dict[str, Any]]


def _bought(op: str, value: int, *, days: int | None = None) -> dict[str, Any]:
    where = {"field": "occurred_at", "op": "within_last", "value": days} if days else {"all": []}
    return {"purchases": {"where": where, "measure": "count", "op": op, "value": value}}


def _last_purchase(op: str, days: int) -> dict[str, Any]:
    last = {"purchases": {"where": {"all": []}, "measure": "last", "op": "within_last", "value": days}}
    return last if op == "within" else {"all": [_bought("ge", 1), {"not": last}]}


def _best(percent: int) -> Ready:
    names = {
        "en": f"Best customers (top {percent} %)",
        "fi": f"Parhaat asiakkaat (paras {percent} %)",
        "sv": f"Bästa kunderna (topp {percent} %)",
    }
    return f"best-{percent}", names, {"field": "value_percent", "op": "le", "value": percent}


READY: tuple[Ready, ...] = (
    *(_best(percent) for percent in (5, 10, 20)),
    (
        "new",
        {"en": "New members", "fi": "Uudet jäsenet", "sv": "Nya medlemmar"},
        {"field": "joined_at", "op": "within_last", "value": MONTH},
    ),
    (
        "loyal",
        {"en": "Loyal customers", "fi": "Uskolliset asiakkaat", "sv": "Trogna kunder"},
        {"all": [_bought("ge", 10, days=YEAR), _last_purchase("within", 60)]},
    ),
    (
        "slipping-away",
        {"en": "Slipping away", "fi": "Loittonevat", "sv": "På väg bort"},
        {
            "all": [
                _bought("ge", 3, days=YEAR),
                _last_purchase("within", HALF_YEAR),
                _last_purchase("longer", 60),
            ]
        },
    ),
    (
        "lost",
        {"en": "Lost customers", "fi": "Menetetyt asiakkaat", "sv": "Förlorade kunder"},
        _last_purchase("longer", HALF_YEAR),
    ),
    (
        "birthday-month",
        {"en": "Birthday this month", "fi": "Syntymäpäivä tässä kuussa", "sv": "Födelsedag den här månaden"},
        {"field": "months_to_birthday", "op": "eq", "value": 0},
    ),
    (
        "one-purchase",
        {"en": "One purchase only", "fi": "Vain yksi ostos", "sv": "Bara ett köp"},
        _bought("eq", 1),
    ),
    (
        "points-expiring",
        {"en": "Points about to expire", "fi": "Pisteet vanhenemassa", "sv": "Poäng som snart förfaller"},
        {
            "points": {
                "where": {"field": "expires_at", "op": "within_next", "value": MONTH},
                "measure": "sum",
                "op": "ge",
                "value": 1,
            }
        },
    ),
)
