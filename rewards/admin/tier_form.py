"""The form of tier terms: how tiers are reached, kept and lost, what each takes and gives, and room for a new one."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from loyalty.translated import in_language
from loyalty.translated_forms import TranslatedTextFormField
from members.models import Tier
from rewards.models import TierTerms
from rewards.revisions import TierPolicy
from rewards.rule_form import DatedForm
from rewards.tier_drafts import DraftLevel, NewTerms

_POLICY = ("basis", "window", "window_days", "keep", "keep_length", "downgrade", "grace_days")


def _choice(field: str, label: Any) -> forms.ChoiceField:
    column: Any = TierTerms._meta.get_field(field)
    choices = column.choices
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget())


def _number(
    label: Any, help_text: Any = "", *, least: int = 0, most: int = 3660, required: bool = True
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, min_value=least, max_value=most, required=required,
        widget=UnfoldAdminIntegerFieldWidget(),
    )  # fmt: skip


class TierTermsForm(DatedForm):
    """How tiers are reached, kept and lost; what each takes and gives; and room for one new tier."""

    basis = _choice("basis", _("Tiers are reached by"))
    window = _choice("window", _("Counted over"))
    window_days = _number(_("Window in days"), _("For a window of the last so many days."), least=1)
    keep = _choice("keep", _("A tier reached is kept"))
    keep_length = _number(
        _("Kept for"), _("Days; or years beyond the one it was reached in: 1 is the end of the next year.")
    )
    downgrade = _choice("downgrade", _("A tier is lost"))
    grace_days = _number(_("Days of grace after the end of the year"), most=366)

    def __init__(self, *args: Any, begin_with: NewTerms, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _POLICY:
            self.fields[name].initial = getattr(begin_with.policy, name)
        self.known = {tier.code: tier for tier in Tier.objects.order_by("rank")}
        self.levels = {level.code: level for level in begin_with.levels}
        lowest = begin_with.levels[0].code if begin_with.levels else ""
        for code, names in self._offered().items():
            self._add_level(code, in_language(names), self.levels.get(code), required=code == lowest)
        self.fields["new_names"] = TranslatedTextFormField(
            label=gettext("A new tier"), required=False,
            help_text=gettext("Its name, when you add one. It takes its place by the points it takes."),
        )  # fmt: skip
        self._add_level("new", gettext("The new tier"), None, required=False)
        last = [name for name in ("valid_from",) if name in self.fields]
        self.order_fields([*(name for name in self.fields if name not in last), *last])

    def _offered(self) -> dict[str, Mapping[str, str]]:
        """The tiers there are and those that the draft brings, by code."""
        found: dict[str, Mapping[str, str]] = {code: tier.names for code, tier in self.known.items()}
        return found | {code: level.names for code, level in self.levels.items() if code not in found}

    def _add_level(self, code: str, name: str, level: DraftLevel | None, *, required: bool) -> None:
        fields: dict[str, forms.Field] = {
            "threshold": _number(
                gettext("%(tier)s: what it takes") % {"tier": name},
                "" if required else gettext("Empty: this tier is not offered."),
                most=10**12,
                required=required,
            ),
            "multiplier": forms.DecimalField(
                label=gettext("%(tier)s: multiplier") % {"tier": name}, min_value=Decimal(1), max_digits=5,
                decimal_places=2, required=False, widget=UnfoldAdminDecimalFieldWidget(),
            ),
            "birthday": _number(
                gettext("%(tier)s: birthday points") % {"tier": name}, gettext("Empty: as many as the campaign gives."),
                most=10**6, required=False,
            ),
            "benefits": TranslatedTextFormField(
                label=gettext("%(tier)s: further benefits") % {"tier": name}, multiline=True, required=False,
                help_text=gettext("One a line, in the same order in each language."),
            ),
        }  # fmt: skip
        initial: dict[str, Any] = {
            "threshold": level.threshold if level else None,
            "multiplier": level.multiplier if level else Decimal(1),
            "birthday": level.birthday_points if level else None,
            "benefits": _as_lines(level.benefits) if level else None,
        }
        for part, field in fields.items():
            field.initial = initial[part]
            self.fields[f"{part}_{code}"] = field

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("new_names") and data.get("threshold_new") is None:
            self.add_error("threshold_new", gettext("Say what the new tier takes."))
        if data.get("threshold_new") is not None and not data.get("new_names"):
            self.add_error("new_names", gettext("Give the new tier a name."))
        return data

    def new_terms(self) -> NewTerms:
        """What was filled in, the levels in the order of what they take."""
        data = self.cleaned_data
        names = dict(self._offered())
        codes = list(names)
        if data.get("new_names"):
            names["new"] = data["new_names"]
            codes.append("new")
        levels = [
            DraftLevel(
                code=self._new_code(names["new"]) if code == "new" else code,
                names=dict(names[code]),
                threshold=data[f"threshold_{code}"],
                multiplier=data[f"multiplier_{code}"] or Decimal(1),
                birthday_points=data[f"birthday_{code}"],
                benefits=_as_benefits(data[f"benefits_{code}"]),
            )
            for code in codes
            if data[f"threshold_{code}"] is not None
        ]
        policy = TierPolicy(**{name: data[name] for name in _POLICY})
        return NewTerms(policy=policy, levels=tuple(sorted(levels, key=lambda level: level.threshold)))

    def _new_code(self, names: Mapping[str, str]) -> str:
        """A code out of the new tier's name that no tier has."""
        base = slugify(names.get("en") or in_language(names))[:24] or "tier"
        taken = {*self.known, *self.levels}
        return next(
            code for code in (base, *(f"{base}-{n}" for n in range(2, 1000))) if code not in taken | {"new"}
        )


def _as_lines(benefits: Sequence[Mapping[str, str]]) -> dict[str, str]:
    languages = dict.fromkeys(code for texts in benefits for code in texts)
    return {code: "\n".join(texts.get(code, "") for texts in benefits) for code in languages}


def _as_benefits(lines: Mapping[str, str] | None) -> tuple[dict[str, str], ...]:
    by_language = {code: text.splitlines() for code, text in (lines or {}).items()}
    count = max((len(texts) for texts in by_language.values()), default=0)
    rows = (
        {code: texts[n].strip() for code, texts in by_language.items() if n < len(texts) and texts[n].strip()}
        for n in range(count)
    )
    return tuple(row for row in rows if row)


class TierDraftForm(TierTermsForm):
    name = forms.CharField(label=_("Name"), max_length=100, widget=UnfoldAdminTextInputWidget())
    field_order = ("name",)
