"""What outlives a request: keys, limits, usage. SQLite and memory by default, PostgreSQL and Valkey/Redis at scale."""
