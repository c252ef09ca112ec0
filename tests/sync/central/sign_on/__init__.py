"""Single sign-on, against a provider in a process of its own."""
