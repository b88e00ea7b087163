"""The floor of ``redeem.py``: the same serializer, and the same rows by one hand-made statement. Nothing else.

The rows are those of a reservation that Kantis places: redemption and its step, transfer (with the redemption's id),
allocation, lot, the member's balance, the piece of stock, the event and the idempotency key's answer. That answer is
the one given: the member's id and balance come from the statement, the last day to collect from the calendar. What the
floor does not do: look up the key and what it may do, count the rate, claim the idempotency key before the work,
lock the accounts first, judge limits, tiers and audience, expire lots that are due, take from more than one lot, look
for an earlier redemption under the same key, log and count the request.
"""

# ruff: noqa: E402  (Django is set up before its parts are imported)

import datetime as dt
import hashlib
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.floor_redeem_settings")

import django

django.setup()

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyalty import clock, collector
from loyalty.ids import new_public_id
from rewards.redemption.serializers import NewRedemptionSerializer
from rewards.vouchers import codes

WRITE = """
WITH new AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_redemption', 'id')) AS id
), stock AS (
    UPDATE rewards_rewardstock SET taken = taken + 1 WHERE reward_id = %(reward)s AND taken < total RETURNING id
), account AS (
    UPDATE rewards_account SET balance = balance - %(points)s FROM members_externalid, stock
    WHERE partner_id = %(partner)s AND external_id = %(member)s
      AND rewards_account.member_id = members_externalid.member_id AND kind = 'available' AND wallet_id = %(wallet)s
      AND balance >= %(points)s
    RETURNING rewards_account.id, rewards_account.member_id, balance
), lot AS (
    UPDATE rewards_lot SET remaining = remaining - %(points)s FROM account
    WHERE rewards_lot.id = (SELECT l.id FROM rewards_lot l WHERE l.account_id = account.id AND l.remaining >= %(points)s
                            ORDER BY l.expires_at NULLS LAST, l.id LIMIT 1)
    RETURNING rewards_lot.id
), transfer AS (
    INSERT INTO rewards_transfer (kind, member_id, from_account_id, to_account_id, points, occurred_at, posted_at,
                                  source, source_id, note)
    SELECT 'redeem', member_id, account.id, %(redeemed)s, %(points)s, %(at)s, %(at)s, 'rewards.redemption', new.id, ''
    FROM account, new RETURNING id, member_id
), allocation AS (
    INSERT INTO rewards_allocation (lot_id, transfer_id, points)
    SELECT lot.id, transfer.id, %(points)s FROM lot, transfer
), answer AS (
    SELECT m.public_id, account.balance AS available, coalesce(pending.balance, 0) AS pending,
           -coalesce(debt.balance, 0) AS debt,
           format('"member":{"id":"%%s"},"balance":{"available":%%s,"pending":%%s,"debt":%%s}}', m.public_id,
                  account.balance, coalesce(pending.balance, 0), -coalesce(debt.balance, 0)) AS rest
    FROM account JOIN members_member m ON m.id = account.member_id
    LEFT JOIN rewards_account pending
      ON pending.member_id = m.id AND pending.wallet_id = %(wallet)s AND pending.kind = 'pending'
    LEFT JOIN rewards_account debt
      ON debt.member_id = m.id AND debt.wallet_id = %(wallet)s AND debt.kind = 'debt'
), redemption AS (
    INSERT INTO rewards_redemption (id, public_id, member_id, reward_id, stock_id, wallet_id, state, via, points, money,
                                    transfer_id, partner_id, external_id, code, content_digest, redeemed_at, collect_by)
    SELECT new.id, %(public_id)s, member_id, %(reward)s, stock.id, %(wallet)s, 'reserved', 'api', %(points)s, 0,
           transfer.id, %(partner)s, %(external_id)s, %(code)s, %(digest)s, %(at)s, %(collect_by)s
    FROM transfer, stock, new RETURNING id, member_id
), step AS (
    INSERT INTO rewards_redemptionstep (redemption_id, from_state, to_state, at, via, partner_id, note)
    SELECT id, '', 'reserved', %(at)s, 'api', %(partner)s, '' FROM redemption
), told AS (
    INSERT INTO loyalty_event (name, member_id, partner_id, facts, occurred_at)
    SELECT 'reward.redeemed', member_id, %(partner)s, %(facts)s, %(at)s FROM redemption
), kept AS (
    INSERT INTO loyalty_idempotencykey (partner_id, key, request_digest, status, body, created_at)
    SELECT %(partner)s, %(key)s, %(digest)s, 201, %(body)s || answer.rest, %(at)s FROM redemption, answer
)
SELECT public_id, available, pending, debt FROM answer
"""


ZONE = "Europe/Helsinki"
encode = DjangoJSONEncoder(separators=(",", ":")).encode


class Known:
    """What never changes, read once: ids of the partner, its rewards and their prices."""

    def __init__(self) -> None:
        self.partner = 0

    def load(self) -> None:
        from loyalty.models import Partner
        from rewards.models import Account, Reward, Wallet

        self.wallet = Wallet.objects.get(is_default=True).pk
        self.redeemed = Account.objects.get(wallet_id=self.wallet, kind="redeemed", member=None).pk
        self.rewards = {row.public_id: row for row in Reward.objects.all()}
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
        form = NewRedemptionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        reward = known.rewards[data["reward"]]
        code = codes.new_code("R")
        body: dict[str, Any] = {
            "id": str(new_public_id()),
            "external_id": data["external_id"],
            "reward": {"id": str(reward.public_id), "code": reward.code, "name": reward.name},
            "state": "reserved",
            "via": "api",
            "points": reward.points,
            "money": "0.00",
            "currency": "EUR",
            "code": codes.grouped(code),
            "voucher": None,
            "redeemed_at": at,
            "collect_by": clock.start_of_day(
                clock.local_date(at, ZONE) + dt.timedelta(days=reward.collect_days + 1), ZONE
            ),
            "ended_at": None,
        }
        facts = {
            "redemption": body["id"],
            "reward": reward.code,
            "points": reward.points,
            "money": "0.00",
            "state": "reserved",
        }
        row = {
            "public_id": body["id"],
            "partner": known.partner,
            "member": data["member"]["external_id"],
            "external_id": data["external_id"],
            "reward": reward.pk,
            "points": reward.points,
            "wallet": known.wallet,
            "redeemed": known.redeemed,
            "code": code,
            "digest": hashlib.sha256(repr(data).encode()).digest(),
            "at": at,
            "collect_by": body["collect_by"],
            "facts": json.dumps(facts),
            "key": request.headers["Idempotency-Key"],
            "body": encode(body)[:-1] + ",",
        }
        with connection.cursor() as cursor:
            cursor.execute(WRITE, row)
            member, available, pending, debt = cursor.fetchone()
        body["member"] = {"id": str(member)}
        body["balance"] = {"available": available, "pending": pending, "debt": debt}
        return Response(body, status=201)


urlpatterns = [path("api/v1/redemptions", Floor.as_view())]

# Only now, since allauth insists on its own at start-up. The one that is left sets Content-Length.
settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
application = WSGIHandler()
collector.settle()
