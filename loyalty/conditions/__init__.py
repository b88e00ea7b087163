"""One language of conditions for rules, tiers, segments and journeys.

Floors declare fields on a subject; staff write a condition on them; it is validated, judged in memory,
compiled to a filter and read out as a sentence. Callers use `condition`; the admin's builder is in `forms`.
"""

from .compile import NotQueryableError
from .condition import Condition, parse, today_at
from .demands import Demand
from .fields import Field, FieldType, How, Measure, Op, Relation, Rows, Subject, subject
from .tree import ConditionError, Problem

__all__ = [
    "Condition",
    "ConditionError",
    "Demand",
    "Field",
    "FieldType",
    "How",
    "Measure",
    "NotQueryableError",
    "Op",
    "Problem",
    "Relation",
    "Rows",
    "Subject",
    "parse",
    "subject",
    "today_at",
]
