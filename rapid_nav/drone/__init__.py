"""The drone's problem: observations, actions, rewards and episodes."""
