"""How the centre itself serves https: its certificate, and one encrypted connection."""
