"""Readers and cards: everything that touches a device. Knows neither the kiosk nor the sync."""
