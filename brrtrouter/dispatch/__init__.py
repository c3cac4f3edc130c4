"""From an operation to the callable that answers it."""
