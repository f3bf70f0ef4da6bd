"""The reading room: takes films in, ranks them, shows them, keeps what is read."""
