"""Authentication, authorization, quotas and audit log, independent of the transport."""
