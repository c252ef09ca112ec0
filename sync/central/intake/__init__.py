"""Documents that come to the running service: over HTTP, and in a watched folder.

Each is read and taken in a process of its own, as by `kiosk-central import`: to read a large one takes seconds of a
processor, which would delay every answer of the worker.
"""
