"""The states of the reading room, each reached as a person reaches it; pictures and checks are taken of all of them."""
