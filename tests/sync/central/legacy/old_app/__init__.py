"""The application of the old system, as a Django project has it."""
