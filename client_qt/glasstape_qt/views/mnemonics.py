"""Texts that Qt would read access keys from: `&` marks one in titles of tabs and docks and in menus."""


def without_mnemonic(text: str) -> str:
    """Return a text that a menu, tab or dock shows as it is: symbols and names may hold `&`."""
    return text.replace("&", "&&")
