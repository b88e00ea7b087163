"""The floor of ``earn.py``: the same serializer, and the same rows by one hand-made statement. Nothing else.

The rows are those of a purchase that Kantis records: activity, lines, balance, transfer, lot, judgement, two events
and the idempotency key's answer. What the floor does not do: look up the key and what it may do, count the rate, claim
the idempotency key before the work, judge by rules, tiers and caps, lock the books, log and count the request.
"""

# ruff: noqa: E402  (Django is set up before its parts are imported)

import hashlib
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.floor_settings")

import django

django.setup()

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyalty import clock, collector
from loyalty.ids import new_public_id
from rewards.serializers import NewActivitySerializer

WRITE = """
WITH activity AS (
    INSERT INTO members_activity (public_id, member_id, partner_id, external_id, kind_id, occurred_at, recorded_at,
                                  store_id, channel_id, currency, total, content_digest)
    SELECT %(public_id)s, member_id, partner_id, %(external_id)s, 'purchase', %(occurred_at)s, %(at)s,
           %(store)s, %(channel)s, 'EUR', %(total)s, %(digest)s
    FROM members_externalid WHERE partner_id = %(partner)s AND external_id = %(member)s
    RETURNING id, member_id
), lines AS (
    INSERT INTO members_activityline (activity_id, position, member_id, product_id, category_id, quantity, total)
    SELECT activity.id, position, member_id, product_id, category_id, quantity, total
    FROM activity, unnest(%(positions)s::int[], %(products)s::bigint[], %(categories)s::bigint[],
                          %(quantities)s::numeric[], %(totals)s::numeric[])
        AS line(position, product_id, category_id, quantity, total)
), account AS (
    UPDATE rewards_account SET balance = balance + %(points)s FROM activity
    WHERE rewards_account.member_id = activity.member_id AND kind = 'available' AND wallet_id = %(wallet)s
    RETURNING rewards_account.id, balance
), transfer AS (
    INSERT INTO rewards_transfer (kind, member_id, from_account_id, to_account_id, points, occurred_at, posted_at,
                                  qualifies_at, activity_id, rule_revision_id, source, note)
    SELECT 'earn', member_id, %(issued)s, account.id, %(points)s, %(occurred_at)s, %(at)s, %(occurred_at)s,
           activity.id, %(rule)s, '', ''
    FROM activity, account RETURNING id, member_id
), lot AS (
    INSERT INTO rewards_lot (transfer_id, member_id, account_id, points, remaining, earned_at, expires_at)
    SELECT transfer.id, member_id, account.id, %(points)s, %(points)s, %(occurred_at)s, %(at)s + interval '2 years'
    FROM transfer, account
), judged AS (
    INSERT INTO rewards_judgement (activity_id, tier_id, verdicts)
    SELECT activity.id, %(tier)s, %(verdicts)s::jsonb FROM activity
), told AS (
    INSERT INTO loyalty_event (name, member_id, partner_id, facts, occurred_at)
    SELECT name, member_id, %(partner)s, %(facts)s, %(occurred_at)s
    FROM activity, unnest(ARRAY['activity.recorded', 'points.earned']) AS name
), kept AS (
    INSERT INTO loyalty_idempotencykey (partner_id, key, request_digest, status, body, created_at)
    SELECT %(partner)s, %(key)s, %(digest)s, 201, %(body)s, %(at)s FROM activity
)
SELECT balance FROM account
"""


class Known:
    """What never changes, read once: ids of the partner, its products and the rule."""

    def __init__(self) -> None:
        self.partner, self.products, self.categories = 0, {}, {}

    def load(self) -> None:
        from loyalty.models import Partner
        from members.models import Product, SalesChannel, Store, Tier
        from rewards.models import Account, RuleRevision, Wallet

        self.wallet = Wallet.objects.get(is_default=True).pk
        self.issued = Account.objects.get(wallet_id=self.wallet, kind="issued").pk
        self.rule = RuleRevision.objects.get(rule__code="base").pk
        self.tier = Tier.objects.get(code="bronze").pk
        self.stores = dict(Store.objects.values_list("code", "pk"))
        self.channels = dict(SalesChannel.objects.values_list("code", "pk"))
        for sku, product, category in Product.objects.values_list("sku", "pk", "category_id"):
            self.products[sku], self.categories[sku] = product, category
        self.partner = Partner.objects.get(slug="bench").pk


known = Known()


class Floor(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        if not known.partner:
            known.load()
        at = clock.now()
        form = NewActivitySerializer(data=request.data, context={"at": at})
        form.is_valid(raise_exception=True)
        data = form.validated_data
        points, lines = int(data["total"]), data["lines"]
        body: dict[str, Any] = {
            "id": str(new_public_id()),
            "external_id": data["external_id"],
            "points": {"available": points, "pending": 0},
            "reasons": [{"rule": "base", "points": points, "pending": False, "text": "Peruspisteet"}],
            "balance": {"available": points, "pending": 0, "debt": 0},
            "tier": {"code": "bronze", "name": "Pronssi"},
        }
        facts = {"activity": body["id"], "kind": "purchase", "total": str(data["total"]), "points": points}
        verdicts = [{"revision": known.rule, "wanted": points, "granted": points, "limit": None}]
        row = {
            "public_id": body["id"],
            "partner": known.partner,
            "member": data["member"]["external_id"],
            "external_id": data["external_id"],
            "occurred_at": data["occurred_at"],
            "at": at,
            "store": known.stores[data["store"]],
            "channel": known.channels[data["channel"]],
            "total": data["total"],
            "digest": hashlib.sha256(repr(data).encode()).digest(),
            "positions": list(range(1, len(lines) + 1)),
            "products": [known.products[line["sku"]] for line in lines],
            "categories": [known.categories[line["sku"]] for line in lines],
            "quantities": [line["quantity"] for line in lines],
            "totals": [line["total"] for line in lines],
            "points": points,
            "wallet": known.wallet,
            "issued": known.issued,
            "rule": known.rule,
            "tier": known.tier,
            "verdicts": json.dumps(verdicts),
            "facts": json.dumps(facts),
            "key": request.headers["Idempotency-Key"],
            "body": json.dumps(body),
        }
        with connection.cursor() as cursor:
            cursor.execute(WRITE, row)
            (balance,) = cursor.fetchone()
        body["balance"]["available"] = balance
        return Response(body, status=201)


urlpatterns = [path("api/v1/activities", Floor.as_view())]

# Only now, since allauth insists on its own at start-up. The one that is left sets Content-Length.
settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
application = WSGIHandler()
collector.settle()
