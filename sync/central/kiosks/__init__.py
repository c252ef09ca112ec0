"""The calls of the kiosks: enrolment, push and pull."""
