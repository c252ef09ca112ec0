"""What both processes of the centre know of the network: clients behind proxies, protected addresses, headers."""
