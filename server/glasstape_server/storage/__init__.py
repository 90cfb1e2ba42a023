"""Files and SQLite databases that survive a power cut."""
