"""Values made from a schema: the same for the same seed, small, and valid by the validator's own word.

`search.py` is the door.  It makes a value (`maker.py`) by the keywords of a schema and all that it combines
(`flat.py`), asks the validator, and where that objects changes the choices that led there.
"""
