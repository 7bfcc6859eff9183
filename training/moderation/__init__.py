"""The classifier of requests: its text, and how it is trained. Not shipped; only its weights are."""
