"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# No time is asserted in a test: a busy machine is no fault of the product.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
