"""A parsed condition: what callers hold. Parse once, then judge facts, filter a queryset or read it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils import timezone
from django_stubs_ext import StrOrPromise

from . import evaluate, sentence, tree
from .compile import compile_node
from .demands import Demand, demands
from .fields import Subject
from .fields import subject as subject_named

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Condition:
    """A condition on one subject.

    `at` is aware. `today`, which date fields are judged against, is the date at that moment in the
    installation's time zone unless given (a member's own, for instance).
    """

    subject: Subject
    node: tree.Node

    def matches(self, facts: evaluate.Facts, *, at: datetime, today: date | None = None) -> bool:
        """Judge facts in memory: a mapping by field name, relations as sequences of mappings. No query."""
        return self.judge(facts, at.astimezone(UTC), today or today_at(at))

    def q(self, *, at: datetime, today: date | None = None, many: bool = False) -> Q:
        """The same as a filter on the model; raises NotQueryableError for fields kept in memory only.

        `many` is for judging most of a table: measures are then grouped once for all rather than asked row by row.
        """
        return compile_node(self.node, at=at.astimezone(UTC), today=today or today_at(at), many=many)

    def filter(
        self, queryset: QuerySet[M], *, at: datetime, today: date | None = None, many: bool = False
    ) -> QuerySet[M]:
        return queryset.filter(self.q(at=at, today=today, many=many))

    def sentence(self, *, always: StrOrPromise = "") -> str:
        """The condition in the active language, with capital and full stop; `always` replaces "Always."."""
        return sentence.sentence(self.node, always=always)

    def as_json(self) -> dict[str, Any]:
        """The canonical JSON, fit for a JSONField."""
        return tree.to_json(self.node)

    @property
    def is_always(self) -> bool:
        return self.node == tree.ALWAYS

    @cached_property
    def fact_names(self) -> frozenset[str]:
        """What `matches` looks for: names of fields (dotted when of an included subject) and relations."""
        return evaluate.fact_fields(self.node)

    @cached_property
    def demands(self) -> tuple[Demand, ...]:
        """Values without which it cannot hold, for a caller that picks out of many conditions those worth judging."""
        return demands(self.node)

    @cached_property
    def judge(self) -> evaluate.Judge:
        """`matches` without its comforts, for many facts at one moment: takes them, the moment in UTC and today."""
        return evaluate.judge(self.node)


def parse(data: object, subject: Subject | str, *, check_choices: bool = True) -> Condition:
    """Read decoded JSON; raises ConditionError with one problem for each path that is wrong.

    `check_choices=False` is for conditions already stored: a choice withdrawn since does not break them.
    """
    about = subject_named(subject) if isinstance(subject, str) else subject
    return Condition(about, tree.parse_node(data, about, check_choices=check_choices))


def today_at(at: datetime) -> date:
    """The date at a moment in the installation's time zone."""
    return timezone.localtime(at, timezone.get_default_timezone()).date()
