"""What all nodes share: messages, parameters, QoS, spinning."""
