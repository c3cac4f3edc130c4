"""The compiled core: matching, parsing and encoding.  Knows nothing of specifications, policy or servers."""
