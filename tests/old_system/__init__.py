"""A hospital's older check-in system, in real Django, beside a real centre."""
