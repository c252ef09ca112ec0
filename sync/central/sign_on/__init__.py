"""Single sign-on by OpenID Connect: the provider's answers, checked, and whose account they are about."""
