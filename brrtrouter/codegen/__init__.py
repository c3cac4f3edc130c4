"""`brrtrouter gen`: a project from a description.

`schemas.py` and `operations.py` read the model of the description into `ir.py`; `models.py`, `handlers.py` and
their neighbours write files from that; `files.py` brings them to a folder without losing what people wrote there.
Nothing here runs in a server.
"""
