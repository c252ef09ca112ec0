"""The use cases of the sync endpoints: enrolment, push and pull."""
