"""The card desk: what reception does with patients, cards, bookings and tickets, one use case a file."""
