"""Who may do what, how much of it, and what is noted of it. Free of any wire."""
