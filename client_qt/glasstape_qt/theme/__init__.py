"""Colors of price directions and of heat maps, light and dark theme, fonts."""
