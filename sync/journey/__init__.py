"""The rules of the journey: data and one pure function. No I/O, no clock, no logging in this room."""
