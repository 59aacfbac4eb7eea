"""What rviz 14.1 (Jazzy) understands: classes, their properties and the values of choices.

Read from rviz_default_plugins, rviz_common and their plugin descriptions, version 14.1.5. A
property's own properties stand in a table of their own, under `Value` its value.
"""

from typing import Any

LEAF: dict[str, Any] = {}
ANY_NAME = '*'
VECTOR = {'X': LEAF, 'Y': LEAF, 'Z': LEAF}

QOS_CHOICES = {
    'History Policy': {'System Default', 'Keep Last', 'Keep All'},
    'Reliability Policy': {'System Default', 'Reliable', 'Best Effort'},
    'Durability Policy': {'System Default', 'Transient Local', 'Volatile'},
}
TOPIC = {'Value': LEAF, 'Depth': LEAF, **dict.fromkeys(QOS_CHOICES, LEAF)}
FILTERED_TOPIC = {**TOPIC, 'Filter size': LEAF}
EVERY_DISPLAY = {'Class': LEAF, 'Name': LEAF, 'Enabled': LEAF, 'Value': LEAF}

# class: the message type it shows, if it subscribes at all, and its properties
DISPLAYS: dict[str, tuple[str | None, dict[str, Any]]] = {
    'rviz_default_plugins/Grid': (
        None,
        {
            'Reference Frame': LEAF,
            'Plane Cell Count': LEAF,
            'Normal Cell Count': LEAF,
            'Cell Size': LEAF,
            'Line Style': {'Value': LEAF, 'Line Width': LEAF},
            'Color': LEAF,
            'Alpha': LEAF,
            'Plane': LEAF,
            'Offset': VECTOR,
        },
    ),
    'rviz_default_plugins/MarkerArray': (
        'visualization_msgs/msg/MarkerArray',
        {'Topic': TOPIC, 'Namespaces': {ANY_NAME: LEAF}},
    ),
    'rviz_default_plugins/Odometry': (
        'nav_msgs/msg/Odometry',
        {
            'Topic': FILTERED_TOPIC,
            'Position Tolerance': LEAF,
            'Angle Tolerance': LEAF,
            'Keep': LEAF,
            'Shape': {
                'Value': LEAF,
                'Color': LEAF,
                'Alpha': LEAF,
                'Shaft Length': LEAF,
                'Shaft Radius': LEAF,
                'Head Length': LEAF,
                'Head Radius': LEAF,
                'Axes Length': LEAF,
                'Axes Radius': LEAF,
            },
            'Covariance': {
                'Value': LEAF,
                'Position': {'Value': LEAF, 'Color': LEAF, 'Alpha': LEAF, 'Scale': LEAF},
                'Orientation': {
                    'Value': LEAF,
                    'Frame': LEAF,
                    'Color Style': LEAF,
                    'Color': LEAF,
                    'Alpha': LEAF,
                    'Offset': LEAF,
                    'Scale': LEAF,
                },
            },
        },
    ),
    'rviz_default_plugins/Image': (
        'sensor_msgs/msg/Image',
        {
            'Topic': TOPIC,
            'Normalize Range': LEAF,
            'Min Value': LEAF,
            'Max Value': LEAF,
            'Median window': LEAF,
        },
    ),
    'rviz_default_plugins/TF': (
        None,
        {
            'Show Names': LEAF,
            'Show Axes': LEAF,
            'Show Arrows': LEAF,
            'Marker Scale': LEAF,
            'Update Interval': LEAF,
            'Frame Timeout': LEAF,
            'Filter (whitelist)': LEAF,
            'Filter (blacklist)': LEAF,
            'Frames': {ANY_NAME: {'Value': LEAF}},
        },
    ),
    'rviz_default_plugins/Path': (
        'nav_msgs/msg/Path',
        {
            'Topic': FILTERED_TOPIC,
            'Line Style': LEAF,
            'Line Width': LEAF,
            'Color': LEAF,
            'Alpha': LEAF,
            'Buffer Length': LEAF,
            'Offset': VECTOR,
            'Pose Style': LEAF,
        },
    ),
}
SHAPES = {'Arrow', 'Axes'}

TOOLS = {
    f'rviz_default_plugins/{name}'
    for name in (
        'MoveCamera',
        'Interact',
        'Select',
        'FocusCamera',
        'Measure',
        'SetInitialPose',
        'SetGoal',
        'PublishPoint',
    )
}
PANELS = {
    f'rviz_common/{name}'
    for name in (
        'Displays',
        'Help',
        'Selection',
        'Time',
        'Tool Properties',
        'Transformation',
        'Views',
    )
}
VIEW_CLASSES = {
    f'rviz_default_plugins/{name}'
    for name in ('Orbit', 'XYOrbit', 'TopDownOrtho', 'FPS', 'ThirdPersonFollower')
}
EVERY_VIEW = {
    'Class': LEAF,
    'Name': LEAF,
    'Value': LEAF,
    'Near Clip Distance': LEAF,
    'Invert Z Axis': LEAF,
    'Target Frame': LEAF,
    'Enable Stereo Rendering': {
        'Value': LEAF,
        'Swap Stereo Eyes': LEAF,
        'Stereo Eye Separation': LEAF,
        'Stereo Focal Distance': LEAF,
    },
}
ORBIT = {
    **EVERY_VIEW,
    'Distance': LEAF,
    'Focal Shape Size': LEAF,
    'Focal Shape Fixed Size': LEAF,
    'Yaw': LEAF,
    'Pitch': LEAF,
    'Focal Point': VECTOR,
}
GLOBAL_OPTIONS = {'Fixed Frame': LEAF, 'Background Color': LEAF, 'Frame Rate': LEAF}
