"""The tables that the middleware of docs/django reads."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class PatientState(models.Model):
    """Where a patient stands."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    current_state = models.CharField(max_length=20)


class Queue(models.Model):
    """A place in a line."""

    queue_id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    exam_id = models.CharField(max_length=50)
    state = models.CharField(max_length=20)
    queue_number = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)


class StateTransition(models.Model):
    """A change of a patient's state."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    from_state = models.CharField(max_length=20)
    to_state = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)
