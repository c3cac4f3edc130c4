"""The same three operations for each server, a file for each, as its users write them."""
