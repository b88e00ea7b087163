"""Corrections by staff that do not go through at once: large ones wait for a second person, many come as a file."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from members.models import Member


class AdjustmentSettings(models.Model):
    """The one row of what staff may do alone (``pk`` 1)."""

    approval_above = models.PositiveIntegerField(
        _("a second person decides above"),
        default=1000,
        help_text=_(
            "Points that one person may give or take alone: per member within 24 hours, and per file."
        ),
    )
    typed_above = models.PositiveIntegerField(
        _("typed confirmation above"),
        default=100,
        validators=[MinValueValidator(1)],
        help_text=_("Files with more adjustments are started by typing their number."),
    )

    history = staff_history()

    class Meta:
        verbose_name = _("settings of adjustments")
        verbose_name_plural = _("settings of adjustments")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="adjustment_settings_is_one_row")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class AdjustmentRequest(models.Model):
    """A correction that waits for a second staff member; never decided by the one who asked."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waits for a second person")
        APPROVED = "approved", _("approved and posted")
        REJECTED = "rejected", _("rejected")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="adjustment_requests", verbose_name=_("member")
    )
    points = models.BigIntegerField(_("points"))
    note = models.CharField(_("reason"), max_length=300)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.WAITING)
    occasion = models.CharField(_("occasion"), max_length=100, unique=True, editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    class Meta:
        verbose_name = _("requested adjustment")
        verbose_name_plural = _("requested adjustments")
        ordering = ["-id"]
        permissions = [("decide_adjustments", "Can decide adjustments that others asked for")]
        constraints = [
            models.CheckConstraint(condition=~Q(points=0), name="adjustment_request_not_zero"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="adjustment_request_decided_by_another",
            ),
            models.CheckConstraint(
                condition=Q(status="waiting", decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(status="waiting") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="adjustment_request_decided_or_waiting",
            ),
        ]
        indexes = [models.Index(fields=["member"], name="adjustment_waiting", condition=Q(status="waiting"))]

    def __str__(self) -> str:
        return f"#{self.pk}"


class BulkAdjustment(models.Model):
    """A file of adjustments: checked on upload, started, worked off by the worker, and undone under the same number."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("checked, not started")
        WAITING = "waiting", _("waits for a second person")
        REJECTED = "rejected", _("rejected")
        QUEUED = "queued", _("about to run")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        UNDO_QUEUED = "undo_queued", _("about to be undone")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    name = models.CharField(_("file"), max_length=200)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.DRAFT)
    good = models.PositiveIntegerField(_("adjustments"), default=0)
    bad = models.PositiveIntegerField(_("rows with errors"), default=0)
    given = models.PositiveBigIntegerField(_("points to give"), default=0)
    taken = models.PositiveBigIntegerField(_("points to take"), default=0)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("undone by"),
    )
    undo_into_debt = models.BooleanField(_("spent points become a debt"), default=True)
    run_id = models.BigIntegerField(_("run"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("file of adjustments")
        verbose_name_plural = _("files of adjustments")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("uploaded_by")),
                name="bulk_adjustment_decided_by_another",
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.name}"


class BulkAdjustmentRow(models.Model):
    """One line of the file: what it says, whom it means, and what became of it."""

    class Status(models.TextChoices):
        READY = "ready", _("ready")
        BAD = "bad", _("not understood")
        POSTED = "posted", _("posted")
        SKIPPED = "skipped", _("skipped")
        UNDONE = "undone", _("undone")

    batch = models.ForeignKey(
        BulkAdjustment, on_delete=models.PROTECT, related_name="rows", verbose_name=_("file"), db_index=False
    )
    line = models.PositiveIntegerField(_("line"))
    reference = models.CharField(_("member as written"), max_length=300, blank=True)
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("member")
    )
    points = models.BigIntegerField(_("points"), null=True, blank=True)
    note = models.CharField(_("reason"), max_length=300, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.READY)
    problem = models.CharField(_("problem"), max_length=300, blank=True)
    undone = models.PositiveBigIntegerField(_("points undone"), default=0)

    class Meta:
        verbose_name = _("row of a file of adjustments")
        verbose_name_plural = _("rows of files of adjustments")
        ordering = ["batch", "line"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "line"], name="bulk_row_once"),
            models.CheckConstraint(
                condition=Q(status="bad") | Q(member__isnull=False, points__isnull=False),
                name="bulk_row_understood",
            ),
        ]
        indexes = [models.Index(fields=["batch", "status", "line"], name="bulk_row_by_status")]

    def __str__(self) -> str:
        return f"#{self.pk}"
