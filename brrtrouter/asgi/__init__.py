"""ASGI both ways (ASGI 3, HTTP spec 2.5): our application under other servers, other applications under ours."""
