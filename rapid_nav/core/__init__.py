"""The algorithm: an early-exit deep Q-network and its learner. Knows tensors, not drones."""
