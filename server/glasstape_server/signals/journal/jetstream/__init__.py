"""The replicated journal: one stream of NATS JetStream, and an SQLite file with what this server has applied of it."""
