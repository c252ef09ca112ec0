"""What each command of `kiosk-central` has done: by the running service over its control socket, or on the file.

Each operation takes the arguments of the command and returns plain values. It raises ControlError for a mistake of the
person at the command line.
"""

WHO = "command line"  # the operator in the audit
