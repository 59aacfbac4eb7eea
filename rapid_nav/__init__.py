"""Early-exit deep reinforcement learning that flies a drone and stops thinking early."""
