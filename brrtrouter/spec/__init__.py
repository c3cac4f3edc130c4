"""OpenAPI documents: reading, references, checks, and the frozen model that the rest of the package serves."""
