"""How a network is compiled for the CPU or captured for the GPU."""
