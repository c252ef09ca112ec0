"""The centre's door to the network: one process with an event loop, which accepts every connection.

It reads whole requests, holds those who wait and the WebSockets, and counts what each client takes. A finished request
goes to the worker process over a link. The gateway knows no database and no patient.
"""
