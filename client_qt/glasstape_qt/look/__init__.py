"""How everything looks: colours of price directions, light and dark, fonts, and the object that changes them."""
