"""What stays open: event streams (`events`, `stream`, `channel`) and WebSockets (`websocket`, `session`, `handshake`).

Nothing here is loaded before an application has such an operation.
"""
