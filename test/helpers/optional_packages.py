"""Packages that tests need and that a machine may lack."""

# colcon's rosdep installs system packages alone, and pip installs no ROS: tests that import what
# is missing are skipped.
MAY_BE_MISSING = {
    'airsim',
    'ale_py',
    'cv2',
    'cv_bridge',
    'gymnasium',
    'hypothesis',
    'llvmlite',
    'mcap',
    'mcap_ros2',
    'msgpackrpc',
    'msgspec',
    'numba',
    'onnx',
    'onnxruntime',
    're2',
    'rclpy',
    'rerun',
    'safetensors',
    'scipy',
    'torch',
}
