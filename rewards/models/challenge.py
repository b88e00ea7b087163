"""Challenges: goals over what members do, with prizes on the way; badges; and who is at which point."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from loyalty.history import staff_history
from loyalty.ids import new_public_id
from loyalty.translated import TranslatedTextField, in_language
from members.models import Activity, Member, Tier
from rewards.models.reward import Picture


class Badge(models.Model):
    """A mark of honour with one or more levels."""

    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    descriptions = TranslatedTextField(_("descriptions"), default=dict, blank=True)
    picture = models.ForeignKey(
        Picture, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("picture")
    )
    levels = models.PositiveSmallIntegerField(_("levels"), default=1, validators=[MinValueValidator(1)])

    history = staff_history()

    class Meta:
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class Challenge(models.Model):
    """A goal over activities that meet the conditions. Its terms stand still once somebody takes part.

    ``measure`` says what is counted towards the steps' targets. A round is one member's go at it: within the fixed
    window, or for ``days`` from joining, and again as ``recurs`` says.
    """

    class Measure(models.TextChoices):
        COUNT = "count", _("activities")
        SPEND = "spend", _("money spent")
        QUANTITY = "quantity", _("products bought")
        CATEGORIES = "categories", _("different categories")
        DEPARTMENTS = "departments", _("different departments")
        STORES = "stores", _("different stores")
        STREAK_DAYS = "streak_days", _("days in a row")
        STREAK_WEEKS = "streak_weeks", _("weeks in a row")

    class Window(models.TextChoices):
        FIXED = "fixed", _("the same time for everybody")
        FROM_JOINING = "from_joining", _("a number of days from joining in")

    class Recurs(models.TextChoices):
        NEVER = "never", _("never")
        ON_COMPLETION = "on_completion", _("as soon as it is completed")
        WEEKLY = "weekly", _("every week")
        MONTHLY = "monthly", _("every month")

    public_id = models.UUIDField(_("id"), default=new_public_id, unique=True, editable=False)
    code = models.SlugField(_("code"), max_length=50, unique=True)
    names = TranslatedTextField(_("names"))
    descriptions = TranslatedTextField(_("descriptions"), default=dict, blank=True)
    picture = models.ForeignKey(
        Picture, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("picture")
    )
    is_active = models.BooleanField(_("open"), default=False)
    measure = models.CharField(_("what counts"), max_length=12, choices=Measure.choices)
    conditions = models.JSONField(_("which activities count"), default=dict, blank=True)
    lines = models.JSONField(
        _("which products count"), default=dict, blank=True, help_text=_("Empty: the whole purchase.")
    )
    audience = models.JSONField(
        _("for members of whom"), default=dict, blank=True, help_text=_("Empty: for everybody.")
    )
    minimum_tier = models.ForeignKey(
        Tier, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from tier")
    )
    by_choice = models.BooleanField(
        _("members join in themselves"),
        default=True,
        help_text=_("Otherwise everybody takes part from their first activity that counts."),
    )
    window = models.CharField(_("time"), max_length=12, choices=Window.choices, default=Window.FIXED)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    days = models.PositiveSmallIntegerField(
        _("days from joining in"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    recurs = models.CharField(_("again"), max_length=13, choices=Recurs.choices, default=Recurs.NEVER)
    grace = models.PositiveSmallIntegerField(
        _("grace"),
        default=0,
        help_text=_("So many days (or weeks) may be missed in a streak before it breaks."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    history = staff_history()

    class Meta:
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="challenge_window_has_length",
            ),
            models.CheckConstraint(
                condition=~Q(window="from_joining") | Q(days__isnull=False), name="challenge_has_its_days"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    @property
    def name(self) -> str:
        return in_language(self.names)


class ChallengeStep(models.Model):
    """A target and its prize. The last step completes the challenge."""

    challenge = models.ForeignKey(
        Challenge, on_delete=models.CASCADE, related_name="steps", verbose_name=_("challenge")
    )
    target = models.DecimalField(_("target"), max_digits=12, decimal_places=2)
    names = TranslatedTextField(_("names"), default=dict, blank=True)
    points = models.PositiveIntegerField(_("points"), default=0)
    badge = models.ForeignKey(
        Badge, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("badge")
    )
    badge_level = models.PositiveSmallIntegerField(
        _("level of the badge"), default=1, validators=[MinValueValidator(1)]
    )
    voucher_family = models.ForeignKey(
        "rewards.VoucherFamily",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("voucher"),
    )
    draw = models.ForeignKey(
        "rewards.Draw",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("draw"),
    )
    draw_chances = models.PositiveIntegerField(_("chances"), default=1, validators=[MinValueValidator(1)])

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["challenge", "target"]
        constraints = [
            models.UniqueConstraint(fields=["challenge", "target"], name="step_once_per_target"),
            models.CheckConstraint(condition=Q(target__gt=0), name="step_target_positive"),
        ]

    def __str__(self) -> str:
        return in_language(self.names) or f"{self.target.normalize():f}"


class ChallengeCount(models.Model):
    """What members had done before a challenge opened, counted by a worker page by page.

    ``after_member`` is where the next page begins, so that a worker which died is followed by another.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")

    challenge = models.OneToOneField(
        Challenge, on_delete=models.CASCADE, related_name="count", verbose_name=_("challenge")
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField(_("asked for at"))
    after_member = models.BigIntegerField(_("counted up to member"), default=0)
    done = models.PositiveBigIntegerField(_("members counted"), default=0)
    total = models.PositiveBigIntegerField(_("members in all"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("count of earlier activities")
        verbose_name_plural = _("counts of earlier activities")

    def __str__(self) -> str:
        return f"#{self.pk}"


class Participation(models.Model):
    """A member takes part in a challenge. Who has left gains nothing more, but keeps what they had won.

    ``time_zone`` is the member's when they came in: their days and weeks stay the same days and weeks.
    """

    challenge = models.ForeignKey(
        Challenge, on_delete=models.PROTECT, related_name="participations", verbose_name=_("challenge")
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="participations", verbose_name=_("member")
    )
    joined_at = models.DateTimeField(_("joined in at"))
    left_at = models.DateTimeField(_("left at"), null=True)
    time_zone = models.CharField(_("time zone"), max_length=64)

    class Meta:
        verbose_name = _("taking part")
        verbose_name_plural = _("taking part")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["challenge", "member"], name="takes_part_once"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class ChallengeRound(models.Model):
    """One member's go at a challenge. ``progress`` follows from its contributions and is kept beside them."""

    challenge = models.ForeignKey(
        Challenge, on_delete=models.PROTECT, related_name="rounds", verbose_name=_("challenge")
    )
    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="challenge_rounds", verbose_name=_("member")
    )
    number = models.PositiveIntegerField(_("round"), default=1)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True)
    progress = models.DecimalField(_("progress"), max_digits=14, decimal_places=2, default=0)
    completed_at = models.DateTimeField(_("completed at"), null=True)

    class Meta:
        verbose_name = _("round of a challenge")
        verbose_name_plural = _("rounds of challenges")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["challenge", "member", "number"], name="round_once"),
        ]
        indexes = [
            models.Index(fields=["member", "ends_at"], name="round_by_member"),
            models.Index(fields=["challenge", "-progress", "member"], name="round_by_progress"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Contribution(models.Model):
    """What one activity counts towards a round, net of refunds. ``keys`` are the different things it stands for."""

    round = models.ForeignKey(
        ChallengeRound, on_delete=models.CASCADE, related_name="contributions", verbose_name=_("round")
    )
    activity = models.ForeignKey(
        Activity, on_delete=models.PROTECT, related_name="+", verbose_name=_("activity")
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=3)
    keys = models.JSONField(_("keys"), default=list)

    class Meta:
        verbose_name = _("contribution")
        verbose_name_plural = _("contributions")
        ordering = ["round", "occurred_at"]
        constraints = [models.UniqueConstraint(fields=["round", "activity"], name="contribution_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class StepAward(models.Model):
    """A step reached and its prize given; taken back when refunds undo it, given again when it is reached again.

    The points are the transfers whose source is this award. What cannot be given or taken back says so in
    ``voucher_state`` and ``entry_state``.
    """

    class VoucherState(models.TextChoices):
        NONE = "", _("no voucher")
        OWED = "owed", _("waits for a code")
        GIVEN = "given", _("given")
        KEPT = "kept", _("stays with the member, for it was used")
        WITHDRAWN = "withdrawn", _("withdrawn")

    class EntryState(models.TextChoices):
        NONE = "", _("no entry")
        ENTERED = "entered", _("entered")
        CLOSED = "closed", _("the draw took no entry")
        KEPT = "kept", _("stays in the draw, which was held")
        WITHDRAWN = "withdrawn", _("withdrawn")

    round = models.ForeignKey(
        ChallengeRound, on_delete=models.PROTECT, related_name="awards", verbose_name=_("round")
    )
    step = models.ForeignKey(
        ChallengeStep, on_delete=models.PROTECT, related_name="+", verbose_name=_("step")
    )
    reached_at = models.DateTimeField(_("reached at"))
    points = models.PositiveIntegerField(
        _("points"), default=0, help_text=_("Less than the step's where a withdrawn award's were kept.")
    )
    voucher = models.ForeignKey(
        "rewards.Voucher", on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("voucher")
    )
    voucher_state = models.CharField(
        _("voucher"), max_length=9, choices=VoucherState.choices, default=VoucherState.NONE, blank=True
    )
    entry_state = models.CharField(
        _("entry"), max_length=9, choices=EntryState.choices, default=EntryState.NONE, blank=True
    )
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)

    class Meta:
        verbose_name = _("step reached")
        verbose_name_plural = _("steps reached")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["round", "step"],
                condition=Q(withdrawn_at__isnull=True),
                name="award_once_per_step",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="award_voucher_owed",
                condition=Q(voucher_state="owed", withdrawn_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class MemberBadge(models.Model):
    """A badge at its level, as a member has it."""

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="badges", verbose_name=_("member")
    )
    badge = models.ForeignKey(Badge, on_delete=models.PROTECT, related_name="+", verbose_name=_("badge"))
    level = models.PositiveSmallIntegerField(_("level"), default=1)
    award = models.ForeignKey(
        StepAward, on_delete=models.PROTECT, null=True, related_name="badges", verbose_name=_("won by")
    )
    earned_at = models.DateTimeField(_("earned at"))

    class Meta:
        verbose_name = _("badge of a member")
        verbose_name_plural = _("badges of members")
        ordering = ["-earned_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["member", "badge", "level", "award"], name="badge_once_per_award"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
