"""The parity report: what the files say against what the ledger holds, in sum and member by member.

The ledger's side is read from its own rows after they were written, not from what the import believes it wrote. A dry
run reads the same rows before they are rolled back.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.models import Partner
from members.former_cards import holders_of
from members.models import ExternalId, Member
from rewards import terms, tier_review
from rewards.models import Account, Lot, Transfer
from rewards.models.ledger import AccountKind
from rewards.moving_in.files import LotRow
from rewards.moving_in.staging import Staged, occasion
from rewards.wording import number

LISTED = 100
HEADER = (
    "member_id", "state", "points_in_file", "expired_before_moving", "points_in_ledger", "difference", "balance_now",
    "tier_in_file", "tier_in_ledger", "tier_points_in_file", "tier_points_in_ledger", "differences",
)  # fmt: skip
IN, REFUSED = "in", "refused"


@dataclass(frozen=True)
class Seen:
    """What the ledger has of a batch of members, by their number in the files where not said otherwise."""

    ids: dict[str, int]
    given: dict[str, int]
    expiries: dict[str, dt.datetime | None]
    tiers: dict[int, tuple[int, Any]]
    balances: dict[int, int]
    cards: dict[str, int]


@dataclass(frozen=True)
class MemberParity:
    """One member, file against ledger. ``points`` and ``ledger`` are by wallet; ``expired`` was not brought along."""

    member_id: str
    state: str
    points: Counter[int]
    expired: Counter[int]
    ledger: Counter[int]
    balance: int | None
    tier_in_file: int | None
    tier: int | None
    tier_points: int | None
    tier_points_counted: int | None
    differences: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        return not self.differences


def look_up(batch: Sequence[Staged], partner: Partner, at: dt.datetime) -> Seen:
    """Read what the ledger has of a batch; eight statements or so, whatever its size."""
    names = [each.member.member_id for each in batch]
    ids = dict(
        ExternalId.objects.filter(partner=partner, external_id__in=names).values_list(
            "external_id", "member_id"
        )
    )
    occasions = [_occasion(partner, lot) for each in batch for lot in each.lots]
    given: dict[str, int] = defaultdict(int)
    for what, points in Transfer.objects.filter(occasion__in=occasions).values_list("occasion", "points"):
        given[str(what)] += points
    lots = Lot.objects.filter(transfer__occasion__in=occasions)
    expiries = {
        str(what): expires_at for what, expires_at in lots.values_list("transfer__occasion", "expires_at")
    }
    known = terms.current()
    judged = tier_review.judge(sorted(ids.values()), known.tiers_at(at), known, at=at) if ids else []
    amounts = {each.state.member_id: each.amount for each in judged}
    held = Member.objects.filter(pk__in=ids.values()).values_list("pk", "tier_id")
    balances = (
        Account.objects.filter(
            member__in=ids.values(),
            wallet_id=known.default_wallet_id,
            kind__in=[AccountKind.AVAILABLE, AccountKind.PENDING, AccountKind.DEBT],
        )
        .values_list("member_id")
        .annotate(Sum("balance"))
    )
    return Seen(
        ids=ids,
        given=given,
        expiries=expiries,
        tiers={pk: (tier_id, amounts.get(pk, 0)) for pk, tier_id in held},
        balances=dict(balances),
        cards=holders_of([card for each in batch for card in each.member.cards]),
    )


def _occasion(partner: Partner, lot: LotRow) -> str:
    return occasion("moving-in", partner, lot.member_id, lot.ref)


@dataclass
class Parity:
    """The sums of a whole move, and the first differences. ``names`` are tier codes, ``wallets`` wallet codes by id."""

    partner: Partner
    at: dt.datetime
    dry_run: bool
    names: Mapping[int, str]
    wallets: Mapping[int, str]
    members: Counter[str] = field(default_factory=Counter)
    lots: Counter[str] = field(default_factory=Counter)
    points: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    tiers_in_file: Counter[str] = field(default_factory=Counter)
    tiers_here: Counter[str] = field(default_factory=Counter)
    cards: Counter[str] = field(default_factory=Counter)
    holds: int = 0
    shared_phones: int = 0
    refused_rows: int = 0
    reasons: list[str] = field(default_factory=list)
    differing: int = 0
    differences: list[dict[str, str]] = field(default_factory=list)

    def compare(self, batch: Sequence[Staged], seen: Seen) -> Iterator[MemberParity]:
        """Each member of a batch against what the ledger has, counted in."""
        for each in batch:
            found = self._refused(each) if each.refused else self._compared(each, seen)
            self._count(each, found)
            yield found

    def _refused(self, each: Staged) -> MemberParity:
        points: Counter[int] = Counter()
        for lot in each.lots:
            points[lot.wallet_id] += lot.points
        tier = each.tier.tier_id if each.tier else None
        return MemberParity(
            each.member.member_id,
            REFUSED,
            points,
            Counter(),
            Counter(),
            None,
            tier,
            None,
            each.tier.qualifying if each.tier else None,
            None,
            (_("not taken in, see the refused rows"),),
        )

    def _compared(self, each: Staged, seen: Seen) -> MemberParity:
        points, expired, ledger = Counter[int](), Counter[int](), Counter[int]()
        differences = []
        for lot in each.lots:
            what = _occasion(self.partner, lot)
            given = seen.given.get(what, 0)
            if not given and lot.expires_at is not None and lot.expires_at <= self.at:
                expired[lot.wallet_id] += lot.points
                self.lots["expired"] += 1
                continue
            points[lot.wallet_id] += lot.points
            ledger[lot.wallet_id] += given
            self.lots["in_file"] += 1
            self.lots["in_ledger"] += bool(given) or not lot.points
            if given != lot.points:
                differences.append(
                    _("lot %(lot)s: %(file)s points in the file, %(ledger)s in the ledger")
                    % {"lot": lot.ref, "file": lot.points, "ledger": given}
                )
            elif what in seen.expiries and seen.expiries[what] != lot.expires_at:
                differences.append(_("lot %(lot)s expires on another day in the ledger") % {"lot": lot.ref})
        member = seen.ids.get(each.member.member_id)
        tier, counted = seen.tiers.get(member or 0, (None, 0))
        if member is None:
            differences.append(_("not a member here"))
        differences += self._tier_differences(each, tier, int(counted))
        wrong = [card for card in each.member.cards if seen.cards.get(card) != member]
        self.cards["in_file"] += len(each.member.cards)
        self.cards["work"] += len(each.member.cards) - len(wrong)
        differences += [_("card %(card)s does not lead to this member") % {"card": card} for card in wrong]
        return MemberParity(
            each.member.member_id,
            IN,
            points,
            expired,
            ledger,
            seen.balances.get(member or 0, 0),
            each.tier.tier_id if each.tier else None,
            tier,
            each.tier.qualifying if each.tier else None,
            int(counted),
            tuple(differences),
        )

    def _tier_differences(self, each: Staged, tier: int | None, counted: int) -> Iterator[str]:
        row = each.tier
        if row is None or tier is None:
            return
        if tier != row.tier_id:
            yield _("tier %(file)s in the file, %(here)s here: %(points)s tier points count") % {
                "file": self.names.get(row.tier_id, "?"),
                "here": self.names.get(tier, "?"),
                "points": counted,
            }
        elif row.qualifying > counted:
            yield _("%(file)s tier points in the file, %(points)s count here") % {
                "file": row.qualifying,
                "points": counted,
            }

    def _count(self, each: Staged, found: MemberParity) -> None:
        self.members["in_file"] += 1
        self.members[found.state] += 1
        for name, counted in (
            ("in_file", found.points + found.expired),
            ("expired", found.expired),
            ("in_ledger", found.ledger),
        ):
            self.points[name].update(counted)
        if found.state == REFUSED:
            self.points["refused"].update(found.points)
            self.lots["refused"] += len(each.lots)
        if found.tier_in_file is not None:
            self.tiers_in_file[self.names.get(found.tier_in_file, "?")] += 1
            if found.tier is not None:
                self.tiers_here[self.names.get(found.tier, "?")] += 1
        if found.differences:
            self.differing += 1
            if len(self.differences) < LISTED:
                self.differences.append(
                    {"member_id": found.member_id, "what": "; ".join(found.differences)[:500]}
                )

    def csv_row(self, found: MemberParity) -> list[Any]:
        """The member's row under HEADER; points of all wallets together."""
        in_file, ledger = sum(found.points.values()), sum(found.ledger.values())
        return [
            found.member_id,
            found.state,
            in_file,
            sum(found.expired.values()),
            ledger,
            ledger - in_file,
            found.balance,
            self.names.get(found.tier_in_file or 0, ""),
            self.names.get(found.tier or 0, ""),
            found.tier_points,
            found.tier_points_counted,
            "; ".join(found.differences),
        ]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data, for JSON and for ``text``."""
        wallets = sorted(set().union(*self.points.values()) if self.points else set())
        return {
            "dry_run": self.dry_run,
            "partner": self.partner.slug,
            "at": self.at.isoformat(),
            "exact": not self.differing and not self.refused_rows,
            "members": {name: self.members[name] for name in ("in_file", "in", "new", "known", "refused")},
            "lots": {
                name: self.lots[name] for name in ("in_file", "in_ledger", "given_now", "expired", "refused")
            },
            "points": {
                self.wallets[wallet]: {
                    name: self.points[name][wallet] for name in ("in_file", "in_ledger", "expired", "refused")
                }
                for wallet in wallets
            },
            "tiers": {
                code: {"in_file": self.tiers_in_file[code], "here": self.tiers_here[code]}
                for code in self.names.values()
                if self.tiers_in_file[code] or self.tiers_here[code]
            },
            "tiers_held_by_hand": self.holds,
            "cards": {name: self.cards[name] for name in ("in_file", "work")},
            "members_sharing_a_phone": self.shared_phones,
            "refused_rows": self.refused_rows,
            "reasons": self.reasons,
            "members_that_differ": self.differing,
            "differences": self.differences,
        }


def headline(report: Mapping[str, Any]) -> str:
    """The outcome in one sentence."""
    if report["exact"]:
        return (
            _("Parity exact: every member, point and tier of the files would be in the ledger.")
            if report["dry_run"]
            else _("Parity exact: every member, point and tier of the files is in the ledger.")
        )
    differing, refused = report["members_that_differ"], report["refused_rows"]
    return _("%(members)s differ, %(rows)s refused.") % {
        "members": ngettext("%(count)s member", "%(count)s members", differing)
        % {"count": number(differing)},
        "rows": ngettext("%(count)s row", "%(count)s rows", refused) % {"count": number(refused)},
    }


def text(report: Mapping[str, Any]) -> str:
    """The report for people, in the active language."""
    lines = [_("Dry run, nothing written.")] if report["dry_run"] else []
    members, lots = report["members"], report["lots"]
    lines += [
        headline(report),
        _("Members: %(in_file)s in the file, %(new)s new, %(known)s known already, %(refused)s refused.")
        % members,
        _(
            "Lots: %(in_file)s to bring along, %(in_ledger)s in the ledger, %(expired)s expired before, "
            "%(refused)s refused."
        )
        % lots,
    ]
    for wallet, sums in report["points"].items():
        values = {name: number(value) for name, value in sums.items()}
        lines.append(
            _("%(wallet)s: %(in_file)s points in the file, of which %(expired)s expired and %(refused)s refused; "
                "%(in_ledger)s in the ledger.")
            % {"wallet": wallet, **values}
        )  # fmt: skip
    for code, counts in report["tiers"].items():
        lines.append(_("Tier %(code)s: %(in_file)s in the file, %(here)s here.") % {"code": code, **counts})
    if report["tiers_held_by_hand"]:
        lines.append(
            _("%(count)s tiers are held by hand, because the points alone give less.")
            % {"count": report["tiers_held_by_hand"]}
        )
    if report["cards"]["in_file"]:
        lines.append(_("Cards: %(in_file)s in the file, %(work)s work.") % report["cards"])
    if report["members_sharing_a_phone"]:
        lines.append(
            _("%(count)s members share a phone number with another member: look at them afterwards.")
            % {"count": report["members_sharing_a_phone"]}
        )
    lines += [f"  {each['member_id']}: {each['what']}" for each in report["differences"][:10]]
    lines += [f"  {reason}" for reason in report["reasons"]]
    return "\n".join(lines)
