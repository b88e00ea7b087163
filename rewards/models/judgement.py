"""How an activity was judged: the tier held before it, and what each rule that applied gave or would have given."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models import Activity, Tier


class Judgement(models.Model):
    """One row per rewarded activity, written with it. From it the activity explains itself and a refund recomputes.

    ``verdicts`` lists the rules whose conditions held: ``{"revision", "wanted", "granted", "limit"}``, where ``limit``
    names what kept the rest back (see ``rewards.rules.Limit``), or null.
    """

    activity = models.OneToOneField(
        Activity,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="judgement",
        verbose_name=_("activity"),
    )
    tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, related_name="+", verbose_name=_("tier held before"), db_index=False
    )
    verdicts = models.JSONField(_("verdicts"), default=list)

    class Meta:
        verbose_name = _("judgement")
        verbose_name_plural = _("judgements")

    def __str__(self) -> str:
        return f"#{self.pk}"
