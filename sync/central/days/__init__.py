"""The days of the site: what becomes of a journey when its day ends, or when the clock was ahead."""
