"""Segments: groups of members by conditions or from a list, who is in them now, and who came and went when."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.translated import TranslatedTextField, in_language
from members.models.member import Member


class Segment(models.Model):
    """A group of members. ``conditions`` are about the member; a list has none, its members come from files.

    ``member_count`` is of now; how many came and went is of the last full refresh.
    """

    class Kind(models.TextChoices):
        CONDITIONS = "conditions", _("by conditions")
        LIST = "list", _("from a list")

    code = models.SlugField(
        _("code"), max_length=50, unique=True, help_text=_("For rules and partners; it stays as it is.")
    )
    names = TranslatedTextField(_("names"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.CONDITIONS)
    conditions = models.JSONField(_("conditions"), default=dict, blank=True)
    is_active = models.BooleanField(
        _("in use"), default=True, help_text=_("Archived segments keep their members and are not refreshed.")
    )
    created_at = models.DateTimeField(_("created at"))
    refreshed_at = models.DateTimeField(_("refreshed at"), null=True, blank=True, editable=False)
    member_count = models.PositiveIntegerField(_("members"), default=0, editable=False)
    joined_count = models.PositiveIntegerField(_("joined"), default=0, editable=False)
    left_count = models.PositiveIntegerField(_("left"), default=0, editable=False)
    problem = models.TextField(
        _("problem"), blank=True, editable=False, help_text=_("Why the last refresh could not be done.")
    )

    history = staff_history()

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="conditions") | Q(conditions={}), name="segment_list_without_conditions"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class SegmentMember(models.Model):
    """A member who is in a segment now, and since when."""

    segment = models.ForeignKey(
        Segment,
        on_delete=models.PROTECT,
        related_name="memberships",
        verbose_name=_("segment"),
        db_index=False,
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="segment_memberships", verbose_name=_("member")
    )
    joined_at = models.DateTimeField(_("in the segment since"))

    class Meta:
        verbose_name = _("member of a segment")
        verbose_name_plural = _("members of segments")
        ordering = ["-joined_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["segment", "member"], name="segment_member_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class SegmentChange(models.Model):
    """One joining or leaving. Append-only: a database trigger refuses changes."""

    segment = models.ForeignKey(
        Segment, on_delete=models.PROTECT, related_name="changes", verbose_name=_("segment"), db_index=False
    )
    member = models.ForeignKey(
        Member,
        on_delete=models.PROTECT,
        related_name="segment_changes",
        verbose_name=_("member"),
        db_index=False,
    )
    joined = models.BooleanField(_("joined"))
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("segment change")
        verbose_name_plural = _("segment changes")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["member", "segment", "-changed_at"], name="segment_change_by_member"),
            models.Index(fields=["segment", "-changed_at"], name="segment_change_by_segment"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberValue(models.Model):
    """What a member's purchases of the last twelve months come to, and how that compares; computed each night.

    ``top_percent`` is 1 for the hundredth part of the buyers with the highest value, 100 for the lowest.
    """

    member = models.OneToOneField(
        Member,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="value",
        verbose_name=_("member"),
    )
    spend = models.DecimalField(_("spend"), max_digits=16, decimal_places=2)
    top_percent = models.PositiveSmallIntegerField(_("among the best (percent)"))

    class Meta:
        verbose_name = _("value of a member")
        verbose_name_plural = _("values of members")

    def __str__(self) -> str:
        return f"#{self.pk}"
