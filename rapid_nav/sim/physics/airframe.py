"""The numbers of AirSim's default quadrotor: masses, rotors, drag and how it touches things."""

import math

from rapid_nav.simulated_time import PHYSICS_STEP

MASS = 1.0  # [kg]
GRAVITY = 9.80665  # [m/s^2]
AIR_DENSITY = 1.225  # [kg/m^3]
ARM = 0.2275 * math.sqrt(0.5)  # [m], of a rotor along x and along y
PROPELLER_DIAMETER, PROPELLER_HEIGHT = 0.2286, 0.01  # [m]
REVOLUTIONS = 6396.667 / 60  # [1/s] at full command
MAX_THRUST = 0.109919 * AIR_DENSITY * REVOLUTIONS**2 * PROPELLER_DIAMETER**4  # [N]
MAX_TORQUE = (  # [N m]
    0.040164 * AIR_DENSITY * REVOLUTIONS**2 * PROPELLER_DIAMETER**5 / (2 * math.pi)
)
HOVER = MASS * GRAVITY / (4 * MAX_THRUST)
ROTOR_KEEP = math.exp(-PHYSICS_STEP / 0.005)  # what is left of a rotor's old thrust after a step
BODY_X, BODY_Y, BODY_Z = 0.18, 0.11, 0.04  # [m]
MOTOR_MASS, MOTOR_Z = 0.055, 0.025  # [kg], [m]
BOX_MASS = MASS - 4 * MOTOR_MASS  # [kg]
_OF_MOTORS = 4 * MOTOR_MASS * (ARM**2 + MOTOR_Z**2)
INERTIA_X = BOX_MASS / 12 * (BODY_Y**2 + BODY_Z**2) + _OF_MOTORS  # [kg m^2]
INERTIA_Y = BOX_MASS / 12 * (BODY_X**2 + BODY_Z**2) + _OF_MOTORS
INERTIA_Z = BOX_MASS / 12 * (BODY_X**2 + BODY_Y**2) + 4 * MOTOR_MASS * 2 * ARM**2
_BLADES = 4 * math.pi * PROPELLER_DIAMETER
_DRAG = 0.325 / 2 * AIR_DENSITY
DRAG_X = _DRAG * (BODY_Y * BODY_Z + _BLADES * PROPELLER_HEIGHT)  # [N s^2/m^2]
DRAG_Y = _DRAG * (BODY_X * BODY_Z + _BLADES * PROPELLER_HEIGHT)
DRAG_Z = _DRAG * (BODY_X * BODY_Y + _BLADES * PROPELLER_DIAMETER)
MIN_DRAG_SPEED = 0.1  # [m/s]
MAX_TURNING = 50.0  # [rad/s], of a tumbling body; beyond it the steps are too long to integrate
RESTITUTION, FRICTION = 0.55, 0.5
DRONE_RADIUS = 0.2  # [m], of the sphere that touches the world
SPIN_KEPT = 0.9  # of the angular velocity in a contact
GROUND_SLOPE = 0.7  # cosine of the steepest slope to land on
LOCK_SPEED = 0.25  # [m/s], slower than this after touching the ground the drone stays there
SINK = 1e-3  # [m], how deep it then rests, so that resting counts as contact
CULL_STEPS = 34  # steps between two searches for the primitives within reach
MAX_PUSH = (4 * MAX_THRUST / MASS + GRAVITY) * 1.5  # [m/s^2], no vehicle accelerates faster
