"""The drone's problem: frames, actions, observation and reward. Knows metres, not tensors."""
