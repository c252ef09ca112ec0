"""Readers and cards: everything that touches a device. Imports neither `kiosk` nor `sync`."""
