"""Where the deciding of a campaign stands: rounds of an audience, and members whose occasion is still to come."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaign import Campaign
from members.models import Member


class Round(models.Model):
    """One going out of a campaign to its audience: the only one of a one-off, each date of a schedule.

    ``cursor`` is the last member decided about, so that a killed worker's successor goes on after it. ``audience`` was
    counted at the start; the four counts are of members decided about.
    """

    class Status(models.TextChoices):
        DECIDING = "deciding", _("deciding")
        DECIDED = "decided", _("decided")
        CANCELLED = "cancelled", _("cancelled")

    class Reason(models.TextChoices):
        """Why a round was cancelled."""

        TOO_LATE = "too_late", _("noticed too late")
        CANCELLED = "cancelled", _("the campaign was cancelled")

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="rounds", verbose_name=_("campaign")
    )
    occasion = models.CharField(_("occasion"), max_length=100)
    at = models.DateTimeField(_("decided for"), help_text=_("The audience is that of this moment."))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DECIDING)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices, blank=True)
    audience = models.PositiveIntegerField(_("audience"), null=True, blank=True)
    cursor = models.BigIntegerField(_("decided up to member"), default=0)
    to_send = models.PositiveIntegerField(_("to send"), default=0)
    held_out = models.PositiveIntegerField(_("held out"), default=0)
    not_sent = models.PositiveIntegerField(_("not sent"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("round")
        verbose_name_plural = _("rounds")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["campaign", "occasion"], name="campaign_round_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.occasion}"


class RoundPage(models.Model):
    """Members of a round's audience, frozen when it began and still to be decided about; deleted with the decision."""

    round = models.ForeignKey(
        Round, on_delete=models.CASCADE, related_name="pages", verbose_name=_("round"), db_index=False
    )
    number = models.PositiveIntegerField(_("number"))
    member_ids = ArrayField(models.BigIntegerField(), verbose_name=_("members"))

    class Meta:
        verbose_name = _("page of a round")
        verbose_name_plural = _("pages of rounds")
        ordering = ["round", "number"]
        constraints = [models.UniqueConstraint(fields=["round", "number"], name="round_page_once")]

    def __str__(self) -> str:
        return f"{self.round_id} {self.number}"


class Trigger(models.Model):
    """Something happened to a member that a campaign waits for; decided about, and deleted, at ``due_at``."""

    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.CASCADE,
        related_name="triggers",
        verbose_name=_("campaign"),
        db_index=False,
    )
    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="+", verbose_name=_("member"), db_index=False
    )
    occasion = models.CharField(_("occasion"), max_length=100)
    happened_at = models.DateTimeField(_("happened at"))
    due_at = models.DateTimeField(_("due at"))
    facts = models.JSONField(_("facts"), default=dict, blank=True)

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = _("triggers")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["member", "campaign", "occasion"], name="trigger_once")
        ]
        indexes = [models.Index(fields=["campaign", "due_at"], name="trigger_of_campaign")]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.occasion}"
