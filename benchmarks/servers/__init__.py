"""HTTP servers side by side: processor time for a request, latency, memory."""
