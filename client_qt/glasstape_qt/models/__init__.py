"""Qt's item models over the plain state: what a row or a line says, how it sorts, what a screen reader hears."""
