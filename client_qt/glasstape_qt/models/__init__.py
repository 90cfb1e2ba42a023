"""Qt item models over the plain state: cell texts, sorting, filtering and accessible descriptions."""
