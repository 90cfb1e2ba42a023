"""Values, errors and statistics that every package shares; imports no grpc, torch or store."""
