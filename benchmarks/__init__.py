"""What a sign-in costs the server, as a multiple of the cryptography it cannot avoid."""
