"""What the hospital's system says of its site, exams, patients, cards and bookings, taken row by row."""
