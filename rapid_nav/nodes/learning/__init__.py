"""What the trainer node is made of."""
