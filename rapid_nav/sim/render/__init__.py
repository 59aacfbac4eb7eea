"""The cameras: rasterization, shading and ray casting."""
