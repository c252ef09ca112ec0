"""The daemon at the entrance: configuration, local store and outbox, the journey service, the touch screen."""
