"""The Celery application. Tasks carry row ids only; PostgreSQL is the queue of record (docs/decisions)."""

import os
from typing import Any

import structlog
from celery import Celery
from django_structlog.celery.signals import bind_extra_task_metadata
from django_structlog.celery.steps import DjangoStructLogInitStep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")

app = Celery("kantis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(
    DjangoStructLogInitStep
)  # log lines carry the task's id, and the request's that sent it
app.autodiscover_tasks()
app.autodiscover_tasks(["loyalty.events"], related_name="tasks")


@bind_extra_task_metadata.connect
def _name_the_task(task: Any, **_kwargs: Any) -> None:
    """Every line that a task logs names it."""
    structlog.contextvars.bind_contextvars(task=task.name)
