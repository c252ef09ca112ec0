"""The operations behind the commands of `kiosk-central`: run by the service over its control socket, or on the file.

Each operation takes the arguments of the command and returns plain values. It raises ControlError for a mistake of the
operator.
"""

WHO = "command line"  # the operator in the audit
