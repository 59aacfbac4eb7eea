"""`pip install .`: the learning, the simulator and the command line, where there is no ROS."""

from glob import glob

from setuptools import find_packages, setup

setup(
    name='rapid_nav',
    version='0.1.0',
    description='A drone that flies by its depth camera with an early-exit network',
    license='MIT',
    python_requires='>=3.10',
    packages=find_packages(
        include=['rapid_nav', 'rapid_nav.*'], exclude=['rapid_nav.nodes', 'rapid_nav.nodes.*']
    ),
    data_files=[('share/rapid_nav/models', glob('models/*.*'))],
    install_requires=[
        'numpy>=2.0',
        'torch>=2.4',
        'safetensors',
        'gymnasium>=1.0',
        'numba>=0.61',
        'msgpack>=1.0',
        'onnx',
        'onnxruntime',
        'pyyaml',
        'pillow',
        'tyro>=0.9',
        'rich',
        'tensorboard',
        'mcap',
        'mcap-ros2-support',
    ],
    extras_require={
        # ale-py and MinAtar are under the GPL, hence never installed unasked.
        'atari': ['ale-py>=0.12', 'imageio-ffmpeg'],
        'minatar': ['MinAtar'],
        'bench': ['openvino', 'trimesh', 'embreex', 'stable-baselines3'],
        'plots': ['matplotlib'],
        'view': ['rerun-sdk>=0.41'],  # flights in the browser
        'test': ['pytest', 'pytest-timeout', 'hypothesis'],
    },
    entry_points={'console_scripts': ['rapid-nav = rapid_nav.cli.main:main']},
)
