"""A small invented hospital on this machine: the real centre and the real kiosk, as two processes."""
