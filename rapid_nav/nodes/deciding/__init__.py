"""What the policy node is made of."""
