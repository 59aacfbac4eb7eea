"""The whole way: airsim's own client, our transport, the server, the physics."""

import pytest

from rapid_nav.drone.actions import BodyVelocity


def test_a_drone_takes_off_and_flies_forward(drone):
    assert drone.sense().landed
    assert drone.take_off()
    before = drone.sense()
    assert not before.landed
    assert before.position[2] > 1.4
    drone.fly(BodyVelocity(forward=1.0), 1.0)
    drone.step(1.0)
    after = drone.sense()
    assert not after.collided
    assert after.linear_velocity[0] > 0.5
    assert after.position[2] == pytest.approx(before.position[2], abs=0.1)


def test_a_drone_lands_out_of_a_climb_and_takes_off_again(drone):
    assert drone.take_off()
    drone.fly(BodyVelocity(forward=1.0, up=1.0), 0.5)
    drone.step(0.4)
    assert drone.land()
    there = drone.sense()
    assert there.landed
    assert there.position[2] < 0.1
    assert drone.take_off()
    assert not drone.sense().landed
