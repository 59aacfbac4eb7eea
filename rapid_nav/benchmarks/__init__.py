"""What `rapid-nav bench` runs."""
