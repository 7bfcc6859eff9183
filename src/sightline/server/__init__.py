"""The HTTP face: bytes to calls, events to bytes. The only place that names the web framework."""
