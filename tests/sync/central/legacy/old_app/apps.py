"""The name of the application, by which Django names the tables."""

from __future__ import annotations

from django.apps import AppConfig


class OldApp(AppConfig):
    name = "tests.sync.central.legacy.old_app"
    label = "app"
