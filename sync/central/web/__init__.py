"""HTTP and WebSocket: thin, over the services."""
