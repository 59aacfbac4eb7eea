"""Where worlds come from: seeded generators, scene files and map_server maps."""
