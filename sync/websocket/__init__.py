"""The server's end of a WebSocket (RFC 6455), for the touch screen's page.

flask-sock and simple-websocket do the protocol. This room makes them safe: one writer at a time, a limit to what waits,
a limit to the sockets, and an end to every wait.
"""
