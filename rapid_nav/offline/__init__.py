"""Training and evaluation without ROS."""
