"""A move from another loyalty system: its files, what the dry run found, and what came of it. Kept for the auditors."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loyalty.partners.models import Partner


class MovingIn(models.Model):
    """One set of uploaded files: checked by a dry run in a worker, and taken in when staff say so.

    ``report`` is the parity report as ``rewards.moving_in.parity`` makes it: of the dry run, later of the real ledger.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting for the dry run")
        CHECKING = "checking", _("dry run in progress")
        CHECKED = "checked", _("checked, nothing taken in yet")
        CONFIRMED = "confirmed", _("waiting to be taken in")
        TAKING = "taking", _("being taken in")
        DONE = "done", _("taken in")
        FAILED = "failed", _("failed")

    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("partner"),
        help_text=_("Whose customer numbers these are: tills and web shop name the members by them."),
    )
    status = models.CharField(_("state"), max_length=10, choices=Status.choices, default=Status.QUEUED)
    phase = models.CharField(_("step"), max_length=20, blank=True, editable=False)
    done = models.PositiveIntegerField(_("done"), default=0, editable=False)
    total = models.PositiveIntegerField(_("total"), null=True, editable=False)
    report = models.JSONField(_("parity report"), null=True, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested at"))
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("confirmed by"),
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)

    class Meta:
        verbose_name = _("move from another system")
        verbose_name_plural = _("moves from other systems")
        ordering = ["-id"]
        permissions = [("move_in", "Can take in members and points from another system")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MovingInFile(models.Model):
    """A file of a move, packed: one uploaded, the rows refused, or the parity of each member.

    What was uploaded is deleted once it is in: it is full of personal data and has no use any more.
    """

    class Kind(models.TextChoices):
        MEMBERS = "members", _("members")
        LOTS = "lots", _("points")
        TIERS = "tiers", _("tiers")
        REFUSED = "refused", _("refused rows")
        PARITY = "parity", _("parity of each member")

    moving_in = models.ForeignKey(
        MovingIn, on_delete=models.CASCADE, related_name="files", verbose_name=_("move")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=200, blank=True)
    content = models.BinaryField(_("content, gzip"))

    class Meta:
        verbose_name = _("file of a move")
        verbose_name_plural = _("files of moves")
        constraints = [
            models.UniqueConstraint(fields=["moving_in", "kind"], name="moving_in_file_once_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
