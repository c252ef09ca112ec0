"""The models of the old system. No constraint is in the database, as where rows went astray."""

from __future__ import annotations

from django.conf import settings
from django.db import models


def _to(model: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(
        model, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+", **more
    )


class Exam(models.Model):
    exam_id = models.CharField(max_length=50, primary_key=True)
    title = models.CharField(max_length=100)


class Appointment(models.Model):
    appointment_id = models.CharField(max_length=64, primary_key=True)
    user = _to(settings.AUTH_USER_MODEL)
    exam = _to("Exam")
    scheduled_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=20, null=True)


class PatientState(models.Model):
    user = _to(settings.AUTH_USER_MODEL)
    current_state = models.CharField(max_length=20, null=True)
    is_logged_in = models.BooleanField(default=False)
    login_method = models.CharField(max_length=20, blank=True)
    updated_at = models.DateTimeField(null=True)


class Queue(models.Model):
    queue_id = models.BigAutoField(primary_key=True)
    user = _to(settings.AUTH_USER_MODEL)
    exam = _to("Exam")
    appointment = _to("Appointment")
    state = models.CharField(max_length=20, null=True)
    queue_number = models.CharField(max_length=20, null=True)
    estimated_wait_time = models.IntegerField(default=0)
    priority = models.FloatField(default=0.1)  # the migration does not know it
    created_at = models.DateTimeField(null=True)


class StateTransition(models.Model):
    user = _to(settings.AUTH_USER_MODEL)
    from_state = models.CharField(max_length=20, null=True)
    to_state = models.CharField(max_length=20, null=True)
    trigger_type = models.CharField(max_length=20)
    trigger_source = models.CharField(max_length=50, blank=True)
    metadata = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)


class QueueStatusLog(models.Model):
    queue = _to("Queue")
    previous_state = models.CharField(max_length=20, null=True)
    new_state = models.CharField(max_length=20, null=True)
    reason = models.CharField(max_length=100, blank=True)
    changed_by = models.CharField(max_length=50, null=True)
    metadata = models.TextField(null=True)
    created_at = models.DateTimeField(null=True)
