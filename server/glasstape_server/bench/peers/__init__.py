"""Other servers with the same network under the same load: `glasstape bench peers`."""
