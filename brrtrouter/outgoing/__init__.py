"""Requests that go out: callbacks and webhooks, and the links of answers (OpenAPI 3.1 sections 4.8.18 and 4.8.20)."""
