"""Values, errors, calendars and statistics that every package shares. Imports no grpc, torch or store."""
