"""The use cases of patients, staff and the hospital, one a file, without Flask."""
