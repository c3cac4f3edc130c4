"""Raw-byte cases for an HTTP/1.1 server, each from a sentence of RFC 9110, 9112 or 3986, and what runs them.

One module for each area holds its cases (`AREAS` in `areas.py`); `runner.py` sends them to a server, `differential.py`
compares the two readers of this server on them and on mutations of them.
"""
